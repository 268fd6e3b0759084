package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/examples/shop/load"
	"github.com/sluice-cd/sluice/examples/shop/orders"
)

// putBack deploys a release that deletes orders when it gets traffic. Customers start after the checkpoint, so the
// checkpoint has the same orders as the database before the deployment.
func (s *stage) putBack(ctx context.Context, r *result) error {
	checkpoint, err := s.orders(ctx, "production")
	if err != nil {
		return err
	}
	var crowd *load.Generator
	var damaged int
	var crowdErr error
	d, err := s.run(ctx, "release-2.2", func(e event, kind sluice.StepKind, _ func()) {
		switch {
		case e.Kind == sluice.StepDone && kind == sluice.KindCheckpointData && crowd == nil:
			crowd, crowdErr = s.crowd(ctx, "back")
		case e.Kind == sluice.StepFailed && kind == sluice.KindVerifyData:
			now, err := s.orders(ctx, "production")
			crowdErr = errors.Join(crowdErr, err)
			damaged = len(checkpoint.Without(now))
		}
	})
	var figures load.Figures
	if crowd != nil {
		figures = crowd.Stop()
	}
	if err := errors.Join(err, crowdErr); err != nil {
		return err
	}
	r.Outcome, r.OrdersDamaged = string(d.Outcome), new(damaged)
	return errors.Join(s.judgeRestored(ctx, r, d, checkpoint, figures),
		s.expect(d, sluice.StatusRolledBack, sluice.StatusFailed))
}

func (s *stage) judgeRestored(
	ctx context.Context, r *result, d *deployment, checkpoint orders.Digests, f load.Figures,
) error {
	restored, err := s.orders(ctx, "production")
	if err != nil {
		return err
	}
	r.RequestsTotal, r.RequestsFailed = new(f.Total), new(f.Failed)
	r.OrdersAtCheckpoint, r.OrdersRestored = new(len(checkpoint)), new(checkpoint.Kept(restored))
	say("  %d orders at the checkpoint, %d of them deleted by release 2.2, %d put back", len(checkpoint), *r.OrdersDamaged,
		*r.OrdersRestored)
	switch {
	case *r.OrdersDamaged == 0:
		return errors.New("the bad release damaged nothing, so there was nothing to put back")
	case *r.OrdersRestored != len(checkpoint):
		return fmt.Errorf("%d orders of the checkpoint are not back as they were", len(checkpoint)-*r.OrdersRestored)
	}
	return s.judgeSavedAside(ctx, r, d, restored, f)
}

// judgeSavedAside restores in staging the checkpoint that was taken before the restore, and looks in it for every
// promised order that production no longer has.
func (s *stage) judgeSavedAside(
	ctx context.Context, r *result, d *deployment, restored orders.Digests, f load.Figures,
) error {
	aside := d.savedAside()
	if aside == "" {
		return errors.New("nothing was saved aside")
	}
	if _, err := s.output(s.sluice(ctx, "data", "restore", string(aside), "--target", "staging", "--yes")); err != nil {
		return err
	}
	saved, err := s.orders(ctx, "staging")
	if err != nil {
		return err
	}
	gone := map[string]time.Time{}
	for key, at := range f.Promised {
		if _, ok := restored[key]; !ok {
			gone[key] = at
		}
	}
	r.OrdersSavedAside = new(saved.CountOf(gone))
	say("  %d orders written since are gone from production, %d of them were saved aside", len(gone), *r.OrdersSavedAside)
	switch {
	case len(gone) == 0:
		return errors.New("no order was written between the checkpoint and the restore")
	case *r.OrdersSavedAside != len(gone):
		return fmt.Errorf("%d promised orders are neither in production nor saved aside", len(gone)-*r.OrdersSavedAside)
	}
	return nil
}

// savedAside is the checkpoint that a restoreData step took before it restored.
func (d *deployment) savedAside() sluice.CheckpointID {
	for _, e := range d.Events {
		if e.Progress != nil && e.Progress.Result != nil && e.Progress.Result.SavedAside != "" {
			return e.Progress.Result.SavedAside
		}
	}
	return ""
}
