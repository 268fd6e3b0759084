// Command demo shows and measures, on a real database and under load, what Sluice is for: a bad migration caught in
// staging, a good release that goes all the way, a bad one caught in production, damaged data restored, a deployment
// that survives the death of Sluice itself, and a finished release that is rolled back. It trusts its own load
// generator and its own reading of the databases, never Sluice's word. "demo serve" leaves deployments under a server
// instead, so that a person can look at its pages.
//
// Start reading at the acts, act_*.go, and at serve.go. It imports only Sluice's nouns; the sluice that it runs is the
// real program.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	play := run
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		play = func(ctx context.Context) error { return serve(ctx, os.Args[2:]) }
	}
	if err := play(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		stop()
		os.Exit(1)
	}
}

// limit bounds the whole demo, so that no fault makes it hang.
const limit = 15 * time.Minute

func run(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	s, err := newStage("demo")
	if err != nil {
		return err
	}
	if err := s.build(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.strike()) }()
	if err := s.set(ctx); err != nil {
		return err
	}
	return s.perform(ctx)
}

// An act is one scene of the demo. Its error says why it could not run or which result is wrong.
type act struct {
	name  string
	title string
	play  func(*stage, context.Context, *result) error
}

var acts = []act{
	{"caught-in-staging", "A data migration loses orders. Staging, with a copy of production's data, finds out.",
		(*stage).caughtInStaging},
	{"all-the-way", "A good release, and a new database server, go all the way under load.", (*stage).allTheWay},
	{"caught-in-production", "A release fails under load. Prometheus sees it, and the canary is deleted.",
		(*stage).caughtInProduction},
	{"put-back", "A release damages production's data. The checkpoint is restored.", (*stage).putBack},
	{"killed", "Sluice is killed in the migration and again in the canary, and continues.", (*stage).killed},
	{"gone-back", "One command goes back, without metrics and under load. Another one goes back with the data.",
		(*stage).goneBack},
}

// perform runs every act, writes the report and fails if any act failed.
func (s *stage) perform(ctx context.Context) error {
	var report report
	var faults []error
	for _, a := range acts {
		say("")
		say("── %s ── %s", a.name, a.title)
		began := time.Now()
		r := &result{Name: a.name}
		err := a.play(s, ctx, r)
		r.Passed, r.DurationSeconds = err == nil, seconds(time.Since(began))
		if err != nil {
			r.Fault = err.Error()
			faults = append(faults, fmt.Errorf("the act %s: %w", a.name, err))
			say("  NOT AS IT SHOULD BE: %v", err)
		}
		report.Acts = append(report.Acts, r)
		if err := report.write(filepath.Join(s.dir, "report.json")); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	report.print()
	say("The report is in %s.", s.relative(filepath.Join(s.dir, "report.json")))
	if len(faults) > 0 {
		say("The logs are in %s.", s.relative(s.logs))
	}
	return errors.Join(faults...)
}
