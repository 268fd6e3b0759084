package engine

import (
	"context"
	"slices"

	"github.com/sluice-cd/sluice"
)

// takeTurn starts a queued deployment if no other one of its application runs. Otherwise the one that runs is resumed,
// in case its process was killed.
func (r *runner) takeTurn(ctx context.Context) error {
	if err := r.catchUp(ctx); err != nil || r.state.Outcome != "" || !r.engine.begins(r.state) {
		return err
	}
	err := r.append(ctx, []sluice.Event{{Kind: sluice.DeploymentStarted}})
	if sluice.ErrorCode(err) == sluice.Conflict {
		return r.engine.persist(ctx, func() error { return r.engine.Resume(ctx) })
	}
	r.queued.Store(err != nil)
	return err
}

// catchUp applies what the store appended to the log: the end of a deployment that was overtaken.
func (r *runner) catchUp(ctx context.Context) error {
	return r.engine.persist(ctx, func() error {
		for e, err := range r.engine.config.Store.Read(ctx, r.state.ID, r.state.Seq) {
			if err != nil {
				return err
			}
			r.state.Apply(e)
		}
		return nil
	})
}

// StopAfter says that this engine will stop when the deployments have ended. From now on it begins no other queued
// deployment of their applications, whose steps it would interrupt at once. The next engine begins it. A deployment
// whose log cannot be read is left out: steps survive an interruption.
func (e *Engine) StopAfter(ids ...sluice.DeploymentID) {
	for _, id := range ids {
		for first, err := range e.config.Store.Read(e.ctx, id, 0) {
			if err == nil {
				e.mu.Lock()
				e.last[first.Plan.Application] = append(e.last[first.Plan.Application], id)
				e.mu.Unlock()
			}
			break
		}
	}
}

// begins reports whether the queued deployment may start in this engine.
func (e *Engine) begins(s *State) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	last, stops := e.last[s.Plan.Application]
	return !stops || slices.Contains(last, s.ID)
}

// callQueued lets the queued deployments look whether their turn has come.
func (e *Engine) callQueued() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range e.runners {
		if r.queued.Load() {
			r.mail.ring()
		}
	}
}
