package dataset

import (
	"context"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/fingerprint"
)

// listed bounds the keys that a comparison names per collection and kind.
const listed = 1000

// A Question asks whether the data equals that of a checkpoint.
type Question struct {
	Was    sluice.Checkpoint
	Now    sluice.Fingerprint
	Mode   string   // of package fingerprint
	Ignore []string // collection or collection.field
}

// Judge compares. Only if the fingerprints differ does it open the checkpoint in a scratch, to find exact keys.
func (d Dataset) Judge(ctx context.Context, q Question) (sluice.Verification, error) {
	var found sluice.Comparison
	if fingerprint.Differ(q.Was.Fingerprint, q.Now, q.Ignore) {
		var err error
		if found, err = d.compare(ctx, q); err != nil {
			return sluice.Verification{}, err
		}
	}
	return fingerprint.Judge(fingerprint.Case{
		Dataset: d.Spec.Name, Mode: q.Mode, Was: q.Was.Fingerprint, Now: q.Now,
		Ignored: q.Ignore, Comparison: found, Invariants: d.Spec.Invariants,
	}), nil
}

// compare opens the checkpoint beside the live database and narrows the difference to keys.
func (d Dataset) compare(ctx context.Context, q Question) (found sluice.Comparison, err error) {
	err = d.Scratch(ForComparison).Open(ctx, q.Was, func(opened Dataset) error {
		return d.with(ctx, func(live sluice.Database) error {
			return opened.with(ctx, func(baseline sluice.Database) error {
				d.say("comparing " + d.Spec.Name + " of " + d.Target + " with the checkpoint")
				if ig, ok := live.(sluice.Ignorer); ok && len(q.Ignore) > 0 {
					live = ig.Ignoring(q.Ignore)
				}
				found, err = live.Compare(ctx, q.Now, baseline, q.Was.Fingerprint, listed)
				return err
			})
		})
	})
	return found, err
}
