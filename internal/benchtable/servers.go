package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/postgrestest"
)

// measureServers lets servers that share a PostgreSQL run many deployments at once, and one server with SQLite.
func measureServers(ctx context.Context) ([]row, error) {
	const servers, times, mib = 3, 2, 250
	many, err := deploymentsOnServers()
	if err != nil {
		return nil, err
	}
	what := fmt.Sprintf("%d deployments of %d steps at once, %d servers, PostgreSQL", many, steps, servers)
	alone, err := measureFleet(ctx, 1, many)
	if err != nil {
		return nil, err
	}
	shared, err := measureFleet(ctx, servers, many)
	if errors.Is(err, postgrestest.ErrAbsent) {
		return skipped(what), nil
	}
	if err != nil {
		return nil, err
	}
	const one = "one server, SQLite: "
	return []row{
		{What: what, Figure: seconds(shared.took), Rival: one + seconds(alone.took),
			Goal: fmt.Sprintf("at most %d times", times), Missed: shared.took > times*alone.took},
		{What: "  events per second", Figure: shared.perSecond(), Rival: one + alone.perSecond()},
		{What: "  peak memory of a server", Figure: fmt.Sprintf("%d MB", shared.memory>>20),
			Rival: one + fmt.Sprintf("%d MB", alone.memory>>20), Goal: fmt.Sprintf("< %d MB", mib),
			Missed: shared.memory>>20 >= mib},
	}, nil
}

// deploymentsOnServers is how many there are, 1,000 unless BENCH_DEPLOYMENTS says another number.
func deploymentsOnServers() (int, error) {
	text := os.Getenv("BENCH_DEPLOYMENTS")
	if text == "" {
		return deployments, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("BENCH_DEPLOYMENTS is %q, not a number of deployments", text)
	}
	return n, nil
}

// A throughput is what a fleet did with many deployments.
type throughput struct {
	took   time.Duration // from the first request until the last deployment has done its steps
	events int
	memory int64 // the most that a server had
}

func (t throughput) perSecond() string {
	return fmt.Sprintf("%.0f", float64(t.events)/t.took.Seconds())
}

// measureFleet deploys through the API, to one server after the other. Each deployment has pauses of a moment, so what
// is measured is the servers and the store; at its end it waits for an approval, and nothing is deployed.
func measureFleet(ctx context.Context, servers, many int) (t throughput, err error) {
	list := make([]string, steps+1)
	for i := range list {
		list[i] = moment
	}
	list[steps] = approval
	err = withFleet(ctx, servers, nil, func(f *fleet) error {
		began := time.Now()
		g, ctx := errgroup.WithContext(ctx)
		g.Go(func() (err error) {
			t.events, err = f.followUntil(ctx, stepOf(steps), many)
			t.took = time.Since(began)
			return err
		})
		next := atomic.Int64{}
		for range together {
			g.Go(func() error {
				for n := next.Add(1); int(n) <= many; n = next.Add(1) {
					to := f.servers[int(n)%len(f.servers)]
					if _, err := to.Deploy(ctx, bundleOf(fmt.Sprint("application-", n), list...)); err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		for _, s := range f.servers {
			memory, err := s.memory("VmHWM")
			if err != nil {
				return err
			}
			t.memory = max(t.memory, memory)
		}
		return nil
	})
	return t, err
}

// followUntil reads the feed of the first server until so many deployments wait in the step. It returns how many events
// it has read.
func (f *fleet) followUntil(ctx context.Context, step sluice.StepID, waiting int) (events int, err error) {
	for entry, err := range f.servers[0].Tail(ctx, 0) {
		if err != nil {
			return 0, err
		}
		events++
		e := entry.Event
		switch {
		case e.Kind == sluice.DeploymentEnded || e.Kind == sluice.StepFailed:
			return 0, fmt.Errorf("deployment %s did not come to its end: %s %s", entry.Deployment, e.Step, e.Kind)
		case e.Step == step && e.Progress != nil && e.Progress.State == sluice.Waiting:
			waiting--
		}
		if waiting == 0 {
			return events, nil
		}
	}
	return 0, fmt.Errorf("the feed ended early: %w", ctx.Err())
}
