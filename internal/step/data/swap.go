package data

import (
	"context"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/dataset"
	"github.com/sluice-cd/sluice/internal/step/record"
)

// A swap is the common part of the steps that replace a target's data. A request for a checkpoint comes first.
type swap struct {
	dataset.Dataset
	request dataset.Request
}

// preview says which claims get other data, and remembers what is there. needed lists the objects that will be created
// if the target does not have them.
func (s swap) preview(ctx context.Context, needed []sluice.Object, notes []string) (sluice.Preview, error) {
	before, err := s.Inspect(ctx, needed)
	if err != nil {
		return sluice.Preview{}, err
	}
	p := sluice.Preview{Notes: notes}
	for _, claim := range s.Spec.Claims {
		outcome := sluice.Created
		if before.Claims[claim] != "" {
			outcome = sluice.Configured
		}
		p.Changes = append(p.Changes, sluice.Change{Object: "PersistentVolumeClaim/" + claim, Outcome: outcome})
	}
	p.Snapshot, err = record.Write(before)
	return p, err
}

// Finish discards what the target had.
func (s swap) Finish(ctx context.Context, p sluice.Progress) error {
	if err := s.Scratch(dataset.ForComparison).Clean(ctx); err != nil {
		return err
	}
	if err := s.request.Clean(ctx); err != nil {
		return err
	}
	var before dataset.Before
	if err := record.Read(p.Snapshot, &before); err != nil {
		return err
	}
	return s.Settle(ctx, before)
}

// Undo puts back what the target had, and removes what the step made on the way. A finished checkpoint stays.
func (s swap) Undo(ctx context.Context, p sluice.Progress) error {
	if len(p.Snapshot) > 0 {
		var before dataset.Before
		if err := record.Read(p.Snapshot, &before); err != nil {
			return err
		}
		if err := s.SwapBack(ctx, before); err != nil {
			return err
		}
	}
	if err := s.Scratch(dataset.ForComparison).Clean(ctx); err != nil {
		return err
	}
	return s.request.Undo(ctx)
}
