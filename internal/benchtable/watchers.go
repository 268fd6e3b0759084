package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/enginetest"
)

// watchers is how many follow one deployment, and approvals how often something happens in it.
const (
	watchers  = 1000
	approvals = 10
)

// measureWatchers lets many watch one deployment of one server, so that each event goes to all of them.
func measureWatchers(ctx context.Context) ([]row, error) {
	const kib, goal = 100, 500 * time.Millisecond
	c := &audience{}
	err := withFleet(ctx, 1, nil, func(f *fleet) error { return c.watch(ctx, f.servers[0]) })
	if err != nil {
		return nil, err
	}
	each := c.memory / watchers >> 10
	m := enginetest.Measurement{Reaction: slices.Sorted(slices.Values(c.delays))}
	return []row{
		{What: fmt.Sprintf("%d watchers of one deployment: from the event to a watcher", watchers), Figure: percentiles(m),
			Goal: fmt.Sprintf("p99 < %s", goal), Missed: m.Percentile(0.99) >= goal},
		{What: "  memory of the server for each", Figure: fmt.Sprintf("%d KB", each), Goal: fmt.Sprintf("< %d KB", kib),
			Missed: each >= kib},
	}, nil
}

// An audience is many watchers and what they saw.
type audience struct {
	memory int64 // that the server needs for all of them, in bytes

	mu     sync.Mutex
	delays []time.Duration // from the time of an event, which is before it was appended, to a watcher
}

// watch lets all see how one step after the other is approved.
func (a *audience) watch(ctx context.Context, server *serving) error {
	list := slices.Repeat([]string{approval}, approvals+1)
	started, err := server.Deploy(ctx, bundleOf("shop", list...))
	if err != nil {
		return err
	}
	before, err := server.memory("VmRSS")
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	var waits [approvals + 1]sync.WaitGroup // until all know that a step waits
	for i := range waits {
		waits[i].Add(watchers)
	}
	for range watchers {
		g.Go(func() error { return a.follow(ctx, server, started.ID, waits[:]) })
	}
	g.Go(func() error {
		for i := range approvals {
			if err := wait(ctx, &waits[i]); err != nil {
				return err
			}
			approve := sluice.Signal{Kind: sluice.SignalApprove, Step: stepOf(i)}
			if err := server.Signal(ctx, started.ID, approve); err != nil {
				return err
			}
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		return err
	}
	after, err := server.memory("VmHWM")
	a.memory = after - before
	return err
}

// follow is one watcher. Events from before it came are not counted.
func (a *audience) follow(ctx context.Context, server *serving, id sluice.DeploymentID, waits []sync.WaitGroup) error {
	came, next := time.Now(), 0
	for u, err := range server.Watch(ctx, id, 0) {
		if err != nil {
			return err
		}
		if u.Event == nil {
			continue
		}
		if delay := time.Since(u.Event.At); next > 0 && u.Event.At.After(came) {
			a.mu.Lock()
			a.delays = append(a.delays, delay)
			a.mu.Unlock()
		}
		if u.Event.Progress == nil || u.Event.Progress.State != sluice.Waiting || u.Event.Kind != sluice.StepProgressed {
			continue
		}
		waits[next].Done()
		if next++; next == len(waits) {
			return nil
		}
	}
	return fmt.Errorf("deployment %s ended early: %w", id, ctx.Err())
}

// wait waits for the group, or until ctx ends.
func wait(ctx context.Context, g *sync.WaitGroup) error {
	done := make(chan struct{})
	go func() {
		g.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
