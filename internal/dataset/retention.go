package dataset

import (
	"context"
	"fmt"
	"strings"

	"github.com/sluice-cd/sluice"
)

// DeleteOld deletes checkpoints that the same step made in earlier deployments: those beyond Keep, and those whose time
// is over. One deployment of an application runs at a time, so no other needs them. If one cannot be deleted, DeleteOld
// returns a remark for the step's message: the new checkpoint is still good, and the next one tries again.
func (r Request) DeleteOld(ctx context.Context) (note string) {
	if err := r.deleteOld(ctx); err != nil {
		return fmt.Sprintf("; older checkpoints of %s could not be deleted and stay until the next one is made: %v",
			r.Spec.Name, err)
	}
	return ""
}

func (r Request) deleteOld(ctx context.Context) error {
	if r.Application == "" {
		return nil
	}
	all, err := r.Catalogue.Checkpoints(ctx, r.Application)
	if err != nil {
		return err
	}
	n := 0
	for _, c := range all { // newest first
		if c.Dataset != r.Spec.Name || c.Target != r.Target || !r.isSameStep(c) {
			continue
		}
		n++
		expired := !c.Expires.IsZero() && c.Expires.Before(r.Now())
		needed := c.Deployment == r.Deployment || r.Needed != nil && r.Needed(c.ID)
		if needed || !expired && (r.Keep == 0 || n <= r.Keep) {
			continue
		}
		if err := r.Remove(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// isSameStep reports whether the checkpoint is this one of another deployment. A checkpoint that was saved aside under
// the same step id, by a deployment with other steps, is not.
func (r Request) isSameStep(c sluice.Checkpoint) bool {
	own, _ := strings.CutPrefix(string(r.ID), string(r.Deployment))
	its, _ := strings.CutPrefix(string(c.ID), string(c.Deployment))
	return own == its
}

// Remove deletes a checkpoint. It deletes the copy first: a checkpoint that is half deleted is still listed, and is
// deleted again the next time.
func (d Dataset) Remove(ctx context.Context, c sluice.Checkpoint) error {
	m, err := d.mover(c.Copy.Mover)
	if err != nil {
		return err
	}
	at := sluice.Place{Name: c.Account, Namespace: c.Namespace}
	if c.Account == d.Place.Name {
		at.Account = d.Place.Account
	}
	if err := m.Delete(ctx, at, string(c.ID)); err != nil {
		return err
	}
	return d.Catalogue.DeleteCheckpoint(ctx, c.ID)
}
