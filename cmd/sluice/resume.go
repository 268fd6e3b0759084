package main

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/service"
)

// resume goes on with every deployment that has not ended, and watches them to their end.
func (a *app) resume(ctx context.Context, c *config.Config, o *runOptions) error {
	s, list, err := a.openUnended(ctx, c)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }() // closed before, where its error matters
	if s.own != nil {
		if err := s.own.engine.Resume(ctx); err != nil {
			return err
		}
	}
	if err := ready(o.readyFD); err != nil {
		return err
	}
	switch {
	case len(list) == 0:
		a.note("there is nothing to go on with")
		return nil
	case o.detach:
		return a.detach(ctx, &follower{app: a, session: s, config: c, state: &engine.State{ID: list[0]}})
	case len(list) == 1:
		f := &follower{app: a, session: s, config: c, state: &engine.State{ID: list[0]}, view: a.newView()}
		_, err := f.follow(ctx)
		return a.conclude(ctx, f, errors.Join(err, f.view.Close()))
	}
	return a.followAll(ctx, s, c, list)
}

// openUnended reaches the engine and lists what it carries out, or should. An engine that ends just then is
// reached anew, by taking its place.
func (a *app) openUnended(ctx context.Context, c *config.Config) (*session, []sluice.DeploymentID, error) {
	for {
		s, err := a.open(ctx, c)
		if err != nil {
			return nil, nil, err
		}
		list, err := s.unended(ctx)
		if err == nil {
			return s, list, nil
		}
		if err := errors.Join(err, s.Close()); s.own != nil || sluice.ErrorCode(err) != sluice.Unavailable {
			return nil, nil, err
		}
	}
}

// unended lists what runs, or should.
func (s *session) unended(ctx context.Context) ([]sluice.DeploymentID, error) {
	if s.own != nil {
		return s.own.store.Unended(ctx)
	}
	deployments, err := s.client.Deployments(ctx, "")
	if err != nil {
		return nil, err
	}
	var list []sluice.DeploymentID
	for _, d := range deployments {
		if service.IsRunning(d) {
			list = append(list, d.ID)
		}
	}
	return list, nil
}

// followAll watches several deployments at once, in plain lines. The worst outcome decides the exit status.
func (a *app) followAll(ctx context.Context, s *session, c *config.Config, list []sluice.DeploymentID) error {
	out := &lockedWriter{w: a.out}
	followers := make([]*follower, len(list))
	errs := make([]error, len(list))
	var group sync.WaitGroup
	for i, id := range list {
		followers[i] = &follower{app: a, session: s, state: &engine.State{ID: id}, view: a.sharedView(out)}
		group.Go(func() { errs[i] = followers[i].watch(ctx) })
	}
	group.Wait()
	if ctx.Err() != nil {
		return a.left(followers[0])
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	worst := sluice.StatusSucceeded
	for _, f := range followers {
		if err := a.summarize(f.state); err != nil {
			return err
		}
		if f.state.Outcome == "" {
			return f.stopped(ctx)
		}
		if outcomeStatus(worst) != exitFailed && f.state.Outcome != sluice.StatusSucceeded {
			worst = f.state.Outcome
		}
	}
	if err := a.finish(ctx, s, c); err != nil {
		return err
	}
	if worst == sluice.StatusSucceeded {
		return nil
	}
	return ended{worst}
}

func (a *app) sharedView(out io.Writer) view {
	if a.json() {
		return newJSONView(out)
	}
	v := newPlainView(out)
	v.name = true
	return v
}

// A lockedWriter lets several writers write whole lines.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
