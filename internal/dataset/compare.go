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
	Mode   string   // of package fingerprint
	Ignore []string // collection or collection.field
}

// Verify reads the database and compares it with the checkpoint. Only if their fingerprints differ does it open the
// checkpoint in a scratch, to find exact keys; the Job that has read the database stays for that. The fingerprint is
// empty if the database could not be read.
func (d Dataset) Verify(
	ctx context.Context, q Question, message string,
) (v sluice.Verification, now sluice.Fingerprint, err error) {
	var found sluice.Comparison
	if d.Spec.Engine == EngineFiles {
		now, err = d.Read(ctx, message)
	} else {
		err = d.with(ctx, func(live sluice.Database) error {
			now, found, err = d.compareWith(ctx, q, live, message)
			return err
		})
	}
	if err != nil {
		return v, now, err
	}
	return fingerprint.Judge(fingerprint.Case{
		Dataset: d.Spec.Name, Mode: q.Mode, Was: q.Was.Fingerprint, Now: now,
		Ignored: q.Ignore, Comparison: found, Invariants: d.Spec.Invariants,
	}), now, nil
}

func (d Dataset) compareWith(
	ctx context.Context, q Question, live sluice.Database, message string,
) (now sluice.Fingerprint, found sluice.Comparison, err error) {
	now, err = live.Fingerprint(ctx, d.Spec.Invariants, d.say(message))
	if err != nil {
		return sluice.Fingerprint{}, found, err
	}
	if fingerprint.Differ(q.Was.Fingerprint, now, q.Ignore) {
		found, err = d.compare(ctx, q, live, now)
	}
	return now, found, err
}

// compare opens the checkpoint beside the live database and narrows the difference to keys.
func (d Dataset) compare(
	ctx context.Context, q Question, live sluice.Database, now sluice.Fingerprint,
) (found sluice.Comparison, err error) {
	err = d.Scratch(ForComparison).Open(ctx, q.Was, func(opened Dataset) error {
		return opened.with(ctx, func(baseline sluice.Database) error {
			d.say("comparing " + d.Spec.Name + " of " + d.Target + " with the checkpoint")
			if ig, ok := live.(sluice.Ignorer); ok && len(q.Ignore) > 0 {
				live = ig.Ignoring(q.Ignore)
			}
			found, err = live.Compare(ctx, now, baseline, q.Was.Fingerprint, listed)
			return err
		})
	})
	return found, err
}
