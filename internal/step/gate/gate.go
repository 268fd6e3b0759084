// Package gate holds the steps that only decide: they wait for a time, a person, an object, a webhook, a Job or
// metrics, and change nothing that has to be put back.
package gate

import (
	"context"

	"github.com/sluice-cd/sluice"
)

// inert is embedded by steps that leave nothing behind, so that nothing is finished or undone.
type inert struct{}

// Finish has nothing to clean up.
func (inert) Finish(context.Context, sluice.Progress) error { return nil }

// Undo has nothing to put back.
func (inert) Undo(context.Context, sluice.Progress) error { return nil }

// LeftOut replaces a gate of a strategy on a first deployment, because there is no old version to protect or to compare
// with.
type LeftOut struct{ inert }

// Check says why nothing is done.
func (LeftOut) Check(context.Context) (sluice.Preview, error) {
	return sluice.Preview{Notes: []string{"is left out: it is the first deployment"}}, nil
}

// Start does nothing.
func (LeftOut) Start(_ context.Context, p sluice.Progress) (sluice.Progress, error) {
	p.State, p.Message = sluice.Done, "left out: the first deployment goes straight to 100 %"
	return p, nil
}

// Observe has nothing to wait for.
func (LeftOut) Observe(_ context.Context, p sluice.Progress) (sluice.Progress, error) {
	p.State = sluice.Done
	return p, nil
}
