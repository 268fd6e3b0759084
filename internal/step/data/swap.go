package data

import (
	"cmp"
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
func (s swap) preview(ctx context.Context, needed []sluice.Object, f dataset.Forecast) (sluice.Preview, error) {
	before, err := s.Inspect(ctx, needed)
	if err != nil {
		return sluice.Preview{}, err
	}
	before.Source, before.Mover, before.Held = f.Was, f.Mover, f.Held
	p := sluice.Preview{Notes: f.Notes, Changes: heldChanges(f.Held)}
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

// recorded returns what Check found, and the request with what it needs of that.
func recorded(r dataset.Request, p sluice.Progress) (dataset.Request, dataset.Before, error) {
	var before dataset.Before
	err := record.Read(p.Snapshot, &before)
	r.Was = before.Source
	r.Spec.Mover = cmp.Or(before.Mover, r.Spec.Mover)
	return r, before, err
}

// Finish discards what the target had.
func (s swap) Finish(ctx context.Context, p sluice.Progress) error {
	if err := s.Scratch(dataset.ForComparison).Clean(ctx); err != nil {
		return err
	}
	r, before, err := recorded(s.request, p)
	if err != nil {
		return err
	}
	if err := r.Clean(ctx); err != nil {
		return err
	}
	return s.Settle(ctx, before)
}

// Undo puts back what the target had, and removes what the step made on the way. A finished checkpoint stays.
func (s swap) Undo(ctx context.Context, p sluice.Progress) error {
	r, before, err := recorded(s.request, p)
	if err != nil {
		return err
	}
	if len(p.Snapshot) > 0 {
		if err := s.SwapBack(ctx, before); err != nil {
			return err
		}
	}
	if err := s.Scratch(dataset.ForComparison).Clean(ctx); err != nil {
		return err
	}
	return r.Undo(ctx)
}
