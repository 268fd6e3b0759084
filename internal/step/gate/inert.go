package gate

import (
	"context"

	"github.com/sluice-cd/sluice"
)

// inert is embedded by steps that only decide: they leave nothing behind, so nothing is finished or undone.
type inert struct{}

// Finish implements sluice.Step.
func (inert) Finish(context.Context, sluice.Progress) error { return nil }

// Undo implements sluice.Step.
func (inert) Undo(context.Context, sluice.Progress) error { return nil }
