package sluice

import "context"

// LeftOut is a step that does nothing. Why says the reason, in the plan and when its turn comes.
type LeftOut struct{ Why string }

// Check says why.
func (s LeftOut) Check(context.Context) (Preview, error) { return Preview{Notes: []string{s.Why}}, nil }

// Start says why, and is done.
func (s LeftOut) Start(_ context.Context, p Progress) (Progress, error) {
	p.State, p.Message = Done, s.Why
	return p, nil
}

// Observe is as Start.
func (s LeftOut) Observe(ctx context.Context, p Progress) (Progress, error) { return s.Start(ctx, p) }

// Finish has nothing to clean up.
func (LeftOut) Finish(context.Context, Progress) error { return nil }

// Undo has nothing to put back.
func (LeftOut) Undo(context.Context, Progress) error { return nil }
