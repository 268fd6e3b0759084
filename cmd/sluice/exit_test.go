package main

import (
	"errors"
	"testing"

	"github.com/sluice-cd/sluice"
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
	for err, want := range map[error]int{
		nil: 0, ended{sluice.StatusSucceeded}: 0, ended{sluice.StatusRolledBack}: 1, ended{sluice.StatusCancelled}: 4,
		unfinished{}: 8, errors.New("x"): 1,
	} {
		if got := exitStatus(err); got != want {
			t.Errorf("%v exits with %d, want %d", err, got, want)
		}
	}
}
