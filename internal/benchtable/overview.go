package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/enginetest"
	"github.com/sluice-cd/sluice/internal/sqlite"
)

// measureOverview asks a server for its first page again and again, then each time right after something happened.
func measureOverview(ctx context.Context) ([]row, error) {
	const applications, recorded, goal = 200, 10_000, 50 * time.Millisecond
	var idle, busy enginetest.Measurement
	fill := func(state string) (err error) {
		store, err := sqlite.Open(ctx, filepath.Join(state, "sluice.db"))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, store.Close()) }()
		return enginetest.Fill(ctx, store, applications, recorded)
	}
	err := withFleet(ctx, 1, fill, func(f *fleet) (err error) {
		if idle, err = measurePage(ctx, f.servers[0], applications, func() error { return nil }); err != nil {
			return err
		}
		busy, err = measurePageAfterEvents(ctx, f.servers[0], applications)
		return err
	})
	if err != nil {
		return nil, err
	}
	missed := func(m enginetest.Measurement) bool { return m.Percentile(0.99) >= goal }
	below := fmt.Sprintf("p99 < %s", goal)
	return []row{
		{What: fmt.Sprintf("page of %d applications, %d deployments", applications, recorded), Figure: percentiles(idle),
			Goal: below, Missed: missed(idle)},
		{What: "  right after an event", Figure: percentiles(busy), Goal: below, Missed: missed(busy)},
	}, nil
}

// viewed is how often the page is asked for, and unmeasured how often before that.
const (
	viewed     = 200
	unmeasured = 5
)

// measurePage calls before and then asks for the page, which has to show all applications.
func measurePage(ctx context.Context, s *serving, applications int, before func() error) (
	m enginetest.Measurement, err error,
) {
	for i := range unmeasured + viewed {
		if err := before(); err != nil {
			return m, err
		}
		began := time.Now()
		page, err := s.page(ctx)
		if err != nil {
			return m, err
		}
		if i >= unmeasured {
			m.Reaction = append(m.Reaction, time.Since(began))
		}
		if n := strings.Count(page, `href="/applications/application-`); n < applications {
			return m, fmt.Errorf("the page shows %d applications, not %d", n, applications)
		}
	}
	slices.Sort(m.Reaction)
	return m, nil
}

// measurePageAfterEvents approves a step of a deployment before each request.
func measurePageAfterEvents(ctx context.Context, s *serving, applications int) (enginetest.Measurement, error) {
	list := slices.Repeat([]string{approval}, unmeasured+viewed+1)
	started, err := s.Deploy(ctx, bundleOf("application-000", list...))
	if err != nil {
		return enginetest.Measurement{}, err
	}
	waiting := make(chan sluice.StepID)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		for u, err := range s.Watch(ctx, started.ID, 0) {
			if err != nil {
				cancel(err)
				return
			}
			if e := u.Event; e != nil && e.Kind == sluice.StepProgressed && e.Progress.State == sluice.Waiting {
				select {
				case waiting <- e.Step:
				case <-ctx.Done():
				}
			}
		}
	}()
	return measurePage(ctx, s, applications, func() error {
		select {
		case step := <-waiting:
			return s.Signal(ctx, started.ID, sluice.Signal{Kind: sluice.SignalApprove, Step: step})
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
}

// page returns the first page of the server.
func (s *serving) page(ctx context.Context) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Address()+"/", nil)
	if err != nil {
		return "", err
	}
	answer, err := http.DefaultClient.Do(r) // which accepts gzip, as browsers do
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("the page is %s: %s", answer.Status, text)
	}
	return string(text), err
}
