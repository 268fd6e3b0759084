package main

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/bootstrap"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/service"
)

// resume continues all deployments that have not ended, and the undo of those where it failed. It watches them until
// they end.
func (a *app) resume(ctx context.Context, c *config.Config, o *runOptions) error {
	s, err := a.open(ctx, c, false)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }() // closed before, where its error matters
	list, failed, err := a.unfinished(ctx, o)
	if err != nil {
		return err
	}
	if err := s.Resume(ctx); err != nil {
		return err
	}
	for _, id := range failed {
		if err := s.Reopen(ctx, id, actor()); err != nil {
			return err
		}
		list = append(list, id)
	}
	if err := ready(o.readyFD); err != nil {
		return err
	}
	switch {
	case len(list) == 0:
		a.note("there is nothing to resume")
		return nil
	case o.detach:
		return a.detach(ctx, &follower{app: a, session: s, config: c, state: &engine.State{ID: list[0]}})
	case len(list) == 1:
		f := &follower{app: a, session: s, config: c, state: &engine.State{ID: list[0]}, view: a.newView(false)}
		return a.conclude(ctx, f, errors.Join(f.follow(ctx), f.view.Close()))
	}
	return a.followAll(ctx, s, c, list)
}

// unfinished returns the deployments that have not ended, and those whose undo failed. A process in the background is
// only asked to continue the former.
func (a *app) unfinished(ctx context.Context, o *runOptions) (unended, failed []sluice.DeploymentID, err error) {
	err = a.reading(ctx, func(store sluice.Store) (err error) {
		if unended, err = store.Unended(ctx); err == nil && o.readyFD == 0 {
			failed, err = service.FailedUndos(ctx, store)
		}
		return err
	})
	return unended, failed, err
}

// followAll watches several deployments at once, in plain lines. The exit status is that of the worst outcome.
func (a *app) followAll(ctx context.Context, s *bootstrap.Session, c *config.Config, list []sluice.DeploymentID) error {
	s.StopAfter(list...)
	out := &lockedWriter{w: a.out}
	followers := make([]*follower, len(list))
	errs := make([]error, len(list))
	var group sync.WaitGroup
	for i, id := range list {
		followers[i] = &follower{app: a, session: s, state: &engine.State{ID: id}, view: a.lineView(out, true)}
		group.Go(func() { errs[i] = followers[i].watch(ctx) })
	}
	group.Wait()
	if ctx.Err() != nil {
		return a.left(s, followers...)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	worst := exitOK
	for _, f := range followers {
		if err := a.summarize(f.state); err != nil {
			return err
		}
		if f.state.Outcome == "" {
			return f.stopped(ctx)
		}
		if status := endStatus(f.state); worst != exitFailed && status != exitOK {
			worst = status
		}
	}
	if err := a.finish(ctx, s, c); err != nil {
		return err
	}
	return endedWith(worst)
}

// A lockedWriter lets several goroutines write whole lines.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
