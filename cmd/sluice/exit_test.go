package main

import (
	"errors"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

func TestEveryCodeHasAnExitStatus(t *testing.T) {
	for _, code := range []sluice.Code{
		sluice.Invalid, sluice.NotFound, sluice.Conflict, sluice.Unavailable, sluice.Unsupported, sluice.Denied,
		sluice.Exhausted, sluice.Failed, sluice.Cancelled, sluice.Internal,
	} {
		if _, ok := statuses[code]; !ok {
			t.Errorf("%s has none", code)
		}
	}
	for err, want := range map[error]int{nil: 0, unfinished{}: 8, errors.New("x"): 1} {
		if got := exitStatus(err); got != want {
			t.Errorf("%v exits with %d, want %d", err, got, want)
		}
	}
}

func TestEveryOutcomeHasAnExitStatus(t *testing.T) {
	for outcome, want := range map[sluice.Status]int{
		sluice.StatusSucceeded: 0, sluice.StatusFailed: 1, sluice.StatusRolledBack: 1, sluice.StatusCancelled: 4,
		sluice.StatusOvertaken: 9,
	} {
		s := &engine.State{Outcome: outcome, Plan: &sluice.Plan{}}
		if got := exitStatus(endedWith(endStatus(s))); got != want {
			t.Errorf("%s exits with %d, want %d", outcome, got, want)
		}
	}
}
