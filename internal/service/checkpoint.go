package service

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

// Checkpoints lists the checkpoints of an application, "" for all, newest first. Of those that an earlier version
// recorded, the log says who started their deployment.
func Checkpoints(ctx context.Context, store sluice.Store, application string) ([]sluice.Checkpoint, error) {
	list, err := store.Checkpoints(ctx, application)
	if err != nil {
		return nil, err
	}
	deployments, err := store.Deployments(ctx, application)
	if err != nil {
		return nil, err
	}
	starters := map[sluice.DeploymentID]string{}
	for _, d := range deployments {
		starters[d.ID] = d.StartedBy
	}
	for i, c := range list {
		list[i].Owner = cmp.Or(c.Owner, starters[c.Deployment])
	}
	return list, nil
}

// DeleteCheckpoint deletes a checkpoint that was taken at the place: first its copy, then its entry, so that one that
// is half deleted is still listed and can be deleted again. Conflict: a deployment that has not ended needs it.
// Unsupported: there is no mover that can delete its copy.
func DeleteCheckpoint(
	ctx context.Context, store sluice.Store, movers map[string]sluice.Mover, at sluice.Place, c sluice.Checkpoint,
) error {
	if err := unneeded(ctx, store, c); err != nil {
		return err
	}
	m, ok := movers[c.Copy.Mover]
	if !ok {
		return sluice.Errorf(sluice.Unsupported, "checkpoint %s was copied by %q, which this version does not have",
			c.ID, c.Copy.Mover)
	}
	if err := m.Delete(ctx, at, string(c.ID)); err != nil {
		return err
	}
	return store.DeleteCheckpoint(ctx, c.ID)
}

// unneeded returns a Conflict while a deployment that has not ended may need the checkpoint, because it took it or puts
// it back.
func unneeded(ctx context.Context, store sluice.Store, c sluice.Checkpoint) error {
	running, err := store.Unended(ctx)
	if err != nil {
		return err
	}
	for _, id := range running {
		s, err := engine.Fold(id, store.Read(ctx, id, 0))
		if err != nil {
			return err
		}
		restores := slices.ContainsFunc(s.Plan.Steps, func(p sluice.PlannedStep) bool {
			return p.RestoreData != nil && p.RestoreData.Checkpoint == c.ID
		})
		if id == c.Deployment || restores {
			return sluice.Errorf(sluice.Conflict, "deployment %s of %s needs the checkpoint %s", id, s.Plan.Application, c.ID).
				WithHint("wait for its end, or cancel it with: sluice cancel %s", id)
		}
	}
	return nil
}

// KeepCheckpoint changes until when a checkpoint is kept, the zero time for good. It returns the checkpoint as it is
// now. Conflict: that time is over already.
func KeepCheckpoint(
	ctx context.Context, store sluice.Store, c sluice.Checkpoint, until, now time.Time,
) (sluice.Checkpoint, error) {
	if !until.IsZero() && until.Before(now) {
		return c, sluice.Errorf(sluice.Conflict, "%s is over already", until.Local().Format(time.DateTime)).
			WithHint("to delete the checkpoint now, type: sluice data delete %s", c.ID)
	}
	c.Expires = until
	return c, store.PutCheckpoint(ctx, c)
}
