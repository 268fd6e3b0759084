package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/enginetest"
	"github.com/sluice-cd/sluice/internal/postgrestest"
)

// measureSignals lets idle servers act on one signal after the other: the first server runs the deployment, the second
// gets the signal, the third is watched.
func measureSignals(ctx context.Context) ([]row, error) {
	const servers, goal = 3, 100 * time.Millisecond
	const what = "signal at one server to the next event at another, PostgreSQL"
	alone, err := measureSignalled(ctx, 1)
	if err != nil {
		return nil, err
	}
	shared, err := measureSignalled(ctx, servers)
	if errors.Is(err, postgrestest.ErrAbsent) {
		return skipped(what), nil
	}
	if err != nil {
		return nil, err
	}
	return []row{{
		What: what, Figure: percentiles(shared), Rival: "one server, SQLite: " + percentiles(alone),
		Goal: fmt.Sprintf("p99 < %s", goal), Missed: shared.Percentile(0.99) >= goal,
	}}, nil
}

// measureSignalled measures how long after each signal its step is done, as a watcher sees it.
func measureSignalled(ctx context.Context, servers int) (m enginetest.Measurement, err error) {
	err = withFleet(ctx, servers, nil, func(f *fleet) error {
		n := len(f.servers)
		runs, gets, shows := f.servers[0], f.servers[1%n], f.servers[2%n]
		for i := range rounds {
			took, err := approveAll(ctx, fmt.Sprint("application-", i), runs, gets, shows)
			if err != nil {
				return err
			}
			m.Reaction = append(m.Reaction, took...)
		}
		return nil
	})
	slices.Sort(m.Reaction)
	return m, err
}

// Each of so many deployments gets so many signals, and one more that is not measured: it opens the connections.
const (
	rounds       = 5
	signalsAtAll = 50
)

// approveAll deploys and approves one step after the other.
func approveAll(ctx context.Context, application string, runs, gets, shows *serving) (took []time.Duration, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	list := slices.Repeat([]string{approval}, signalsAtAll+2) // after the last one it still waits
	started, err := runs.Deploy(ctx, bundleOf(application, list...))
	if err != nil {
		return nil, err
	}
	signalled := map[sluice.StepID]time.Time{}
	for u, err := range shows.Watch(ctx, started.ID, 0) {
		if err != nil {
			return nil, err
		}
		e := u.Event
		if e == nil || e.Step == "" {
			continue
		}
		if at, waited := signalled[e.Step]; waited && e.Kind == sluice.StepDone {
			took = append(took, time.Since(at))
		}
		if len(took) > signalsAtAll {
			return took[1:], nil
		}
		if e.Progress == nil || e.Progress.State != sluice.Waiting || !signalled[e.Step].IsZero() {
			continue
		}
		signalled[e.Step] = time.Now()
		go func() { // its event may come before its answer
			err := gets.Signal(ctx, started.ID, sluice.Signal{Kind: sluice.SignalApprove, Step: e.Step})
			if err != nil {
				cancel(err)
			}
		}()
	}
	return nil, fmt.Errorf("deployment %s ended early: %w", started.ID, context.Cause(ctx))
}
