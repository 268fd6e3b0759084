package service_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/history"
	"github.com/sluice-cd/sluice/internal/service"
	"github.com/sluice-cd/sluice/internal/storetest"
)

// What a deployment left can be undone until a later one of its application has changed anything for real.
func TestFailedUndos(t *testing.T) {
	at := time.Unix(1, 0)
	planned := func(rehearsed bool) sluice.Event {
		p := &sluice.Plan{Application: "shop", Targets: []sluice.PlannedTarget{{Name: "t"}},
			Steps: []sluice.PlannedStep{{ID: "t/apply", Target: "t", Phase: sluice.PhaseApply}}}
		if rehearsed {
			p.Rehearsal = &sluice.Rehearsal{}
		}
		return sluice.Event{At: at, Kind: sluice.DeploymentStarted, Plan: p}
	}
	step := func(kind sluice.EventKind) sluice.Event {
		return sluice.Event{At: at, Kind: kind, Step: "t/apply", Progress: &sluice.Progress{},
			Failure: &sluice.Failure{Code: sluice.Failed}}
	}
	ended := func(outcome sluice.Status) sluice.Event {
		return sluice.Event{At: at, Kind: sluice.DeploymentEnded, Outcome: outcome}
	}
	start, fail := step(sluice.StepStarting), step(sluice.StepFailed)
	stuck := []sluice.Event{planned(false), start, fail, step(sluice.StepUndoFailed), ended(sluice.StatusFailed)}
	for name, test := range map[string]struct {
		later []sluice.Event
		want  []sluice.DeploymentID
	}{
		"the newest":                 {nil, []sluice.DeploymentID{"d1"}},
		"before one that succeeded":  {[]sluice.Event{planned(false), start, ended(sluice.StatusSucceeded)}, nil},
		"before one that was undone": {[]sluice.Event{planned(false), start, ended(sluice.StatusRolledBack)}, nil},
		"before one that runs":       {[]sluice.Event{planned(false), start}, nil},
		"before one that began nothing": {[]sluice.Event{planned(false), ended(sluice.StatusCancelled)},
			[]sluice.DeploymentID{"d1"}},
		"before a rehearsal": {[]sluice.Event{planned(true), start, ended(sluice.StatusSucceeded)},
			[]sluice.DeploymentID{"d1"}},
		"of a rehearsal": {
			[]sluice.Event{planned(true), start, fail, step(sluice.StepUndoFailed), ended(sluice.StatusFailed)},
			[]sluice.DeploymentID{"d1"}},
		"before another one": {stuck, []sluice.DeploymentID{"d2"}},
	} {
		t.Run(name, func(t *testing.T) {
			store := storetest.NewMemory()
			if err := store.Append(t.Context(), "d1", 0, stuck...); err != nil {
				t.Fatal(err)
			}
			if err := store.Append(t.Context(), "d2", 0, test.later...); err != nil {
				t.Fatal(err)
			}
			got, err := service.FailedUndos(t.Context(), store, "")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			q := service.RollbackRequest{Deployment: "d1", By: me}
			r, err := service.PlanRollback(t.Context(), store, history.NewIndex(store), q)
			if goesOn := err == nil && r.Unfinished != nil; goesOn != (len(test.want) == 1 && test.want[0] == "d1") {
				t.Errorf("a rollback of d1 goes on with the undo: %v (%v)", goesOn, err)
			}
		})
	}
}
