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
			failed, err = service.FailedUndos(ctx, store, "")
		}
		return err
	})
	return unended, failed, err
}

// followAll watches several deployments at once, in plain lines. The exit status is that of the worst outcome.
func (a *app) followAll(ctx context.Context, s *bootstrap.Session, c *config.Config, list []sluice.DeploymentID) error {
	s.StopAfter(list...)
	followers, err := a.watchAll(ctx, list, follower{app: a, session: s})
	if ctx.Err() != nil {
		return a.left(s, followers...)
	}
	if err != nil {
		return err
	}
	worst, open, err := a.summarizeAll(followers)
	if err != nil {
		return err
	}
	if open != nil {
		return open.stopped(ctx)
	}
	if err := a.finish(ctx, s, c); err != nil {
		return err
	}
	return endedWith(worst)
}

// watchAll watches the deployments with followers like the given one, until each of them stops.
func (a *app) watchAll(ctx context.Context, list []sluice.DeploymentID, like follower) ([]*follower, error) {
	out := &lockedWriter{w: a.out}
	followers := make([]*follower, len(list))
	errs := make([]error, len(list))
	var group sync.WaitGroup
	for i, id := range list {
		f := like
		f.state, f.view = &engine.State{ID: id}, a.lineView(out, true)
		followers[i] = &f
		group.Go(func() { errs[i] = f.watch(ctx) })
	}
	group.Wait()
	return followers, errors.Join(errs...)
}

// summarizeAll says how the deployments ended, up to the first that has not, which it returns. worst is the exit status
// of the worst outcome.
func (a *app) summarizeAll(followers []*follower) (worst int, open *follower, err error) {
	for _, f := range followers {
		if err := a.summarize(f.state); err != nil {
			return worst, nil, err
		}
		if f.state.Outcome == "" {
			return worst, f, nil
		}
		if status := endStatus(f.state); worst != exitFailed && status != exitOK {
			worst = status
		}
	}
	return worst, nil, nil
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
