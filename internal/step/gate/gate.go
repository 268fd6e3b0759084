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
