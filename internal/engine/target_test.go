package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

// three is a plan of two targets of one step before the objects, the objects, a gate and a step of onRollback, and a
// third target that depends on the first one.
func three() *sluice.Plan {
	p := &sluice.Plan{Application: "shop", Targets: []sluice.PlannedTarget{
		{Name: "a", AfterFailure: "rollBack"}, {Name: "b", AfterFailure: "rollBack"},
		{Name: "c", AfterFailure: "rollBack", DependsOn: []string{"a"}},
	}}
	for _, t := range p.Targets {
		id := func(path string) sluice.StepID { return sluice.StepID(t.Name + "/" + path) }
		p.Steps = append(p.Steps,
			sluice.PlannedStep{ID: id("before"), Target: t.Name, Phase: sluice.PhaseBefore},
			sluice.PlannedStep{ID: id("apply"), Target: t.Name, Phase: sluice.PhaseApply, After: []sluice.StepID{id("before")}},
			sluice.PlannedStep{ID: id("gate"), Target: t.Name, Phase: sluice.PhaseCanary, After: []sluice.StepID{id("apply")}},
			sluice.PlannedStep{ID: id("back"), Target: t.Name, Phase: sluice.PhaseOnRollback},
		)
	}
	return p
}

// kinds are the events that a line of a case stands for.
var kinds = map[string][]sluice.EventKind{
	"starts": {sluice.StepStarting},
	"moves":  {sluice.StepStarting}, // and says that it replaces data
	"done":   {sluice.StepStarting, sluice.StepDone}, "kept": {sluice.StepFinishing, sluice.StepFinished},
	"fails": {sluice.StepStarting, sluice.StepFailed}, "undone": {sluice.StepUndoing, sluice.StepUndone},
	"stuck": {sluice.StepUndoing, sluice.StepUndoFailed},
	"ended": {sluice.DeploymentEnded}, "reopened": {sluice.DeploymentReopened},
}

// fold returns the state after the lines, each of which is a step and what happens to it, or a signal.
func fold(lines string) *engine.State {
	s := &engine.State{ID: "d"}
	s.Apply(sluice.Event{Seq: 1, Kind: sluice.DeploymentStarted, Plan: three()})
	for line := range strings.SplitSeq(lines, ", ") {
		step, what, isStep := strings.Cut(line, " ")
		if !isStep {
			s.Apply(sluice.Event{Seq: s.Seq + 1, Kind: sluice.SignalReceived, Signal: &sluice.Signal{Kind: line}})
			continue
		}
		p := &sluice.Progress{State: sluice.Done}
		if what == "ended" {
			s.Apply(sluice.Event{Seq: s.Seq + 1, Kind: sluice.DeploymentEnded, Outcome: engine.Decide(s, time.Unix(2, 0)).End})
			continue
		}
		if what == "moves" {
			p.Changes = []sluice.Change{{Object: "PersistentVolumeClaim/data", Outcome: sluice.Configured}}
		}
		for _, kind := range kinds[what] {
			e := sluice.Event{Seq: s.Seq + 1, At: time.Unix(1, 0), Kind: kind, Step: sluice.StepID(step), Progress: p}
			if kind == sluice.StepFailed || kind == sluice.StepUndoFailed {
				e.Failure = &sluice.Failure{Code: sluice.Failed, Message: "no"}
			}
			s.Apply(e)
		}
	}
	return s
}

func TestATargetsStatusSaysWhatHappenedToIt(t *testing.T) {
	const (
		aWorks  = "a/before done, a/apply done, a/gate done, a/before kept, a/apply kept, a/gate kept"
		bWorks  = "b/before done, b/apply done, b/gate done, b/before kept, b/apply kept, b/gate kept"
		cWorks  = "c/before done, c/apply done, c/gate done, c/before kept, c/apply kept, c/gate kept"
		aBack   = "a/before done, a/apply done, a/gate fails, a/gate undone, a/apply undone, a/before undone, a/back done"
		aIsBack = aBack + ", a/back kept"
		bUndone = "b/apply undone, b/before undone"
		bBack   = ", b/back done, b/back kept"
	)
	for _, c := range []struct{ events, want string }{
		{aWorks + ", " + bWorks + ", " + cWorks,
			"succeeded succeeded succeeded: succeeded"},
		{aIsBack + ", " + bWorks,
			"rolledBack succeeded skipped: rolledBack"},
		{aBack + ", " + bWorks,
			"rollingBack succeeded pending: "},

		// A target that has ended keeps its outcome.
		{aIsBack + ", b/before starts, cancel, b/before undone",
			"rolledBack cancelled skipped: cancelled"},
		{aIsBack + ", b/before done, b/apply starts, cancel, " + bUndone,
			"rolledBack cancelled skipped: cancelled"},
		{aIsBack + ", b/before done, b/apply starts, rollBack, " + bUndone + bBack,
			"rolledBack rolledBack skipped: rolledBack"},
		{aWorks + ", b/before starts, cancel, b/before undone",
			"succeeded cancelled cancelled: cancelled"},
		{"a/before fails, a/before undone, cancel",
			"failed cancelled skipped: failed"},

		// Where nothing was deployed, nothing was rolled back.
		{"a/before fails, a/before undone, " + bWorks,
			"failed succeeded skipped: failed"},
		{"a/before starts, b/before starts, rollBack, a/before undone, b/before undone",
			"cancelled cancelled cancelled: cancelled"},
		{"rollBack",
			"cancelled cancelled cancelled: cancelled"},
		{"cancel",
			"cancelled cancelled cancelled: cancelled"},
		{"a/before done, a/apply starts, rollBack, a/apply undone, a/before undone, a/back done, a/back kept",
			"rolledBack cancelled cancelled: rolledBack"},
		{"a/before fails, rollBack, a/before undone",
			"failed cancelled cancelled: failed"},
		{"a/before moves, rollBack, a/before undone",
			"rolledBack cancelled cancelled: rolledBack"},
		{"a/before moves, cancel, a/before undone",
			"cancelled cancelled cancelled: cancelled"},

		// What could not be undone has failed, after a cancel as after a rollback.
		{"a/before done, a/apply starts, rollBack, a/apply stuck, a/before undone, a/back done, a/back kept",
			"failed cancelled cancelled: failed"},
		{"a/before done, a/apply starts, cancel, a/apply stuck, a/before undone",
			"failed cancelled cancelled: failed"},

		// What is undone later was undone.
		{"a/before done, a/apply starts, rollBack, a/apply stuck, a/before undone, a/back done, a/back kept, " +
			"all ended, all reopened",
			"rollingBack cancelled cancelled: "},
		{"a/before done, a/apply starts, rollBack, a/apply stuck, a/before undone, a/back done, a/back kept, " +
			"all ended, all reopened, a/apply undone, a/before undone",
			"rolledBack cancelled cancelled: rolledBack"},
		{"a/before done, a/apply starts, rollBack, a/apply stuck, a/before undone, a/back done, a/back kept, " +
			"all ended, all reopened, a/apply stuck, a/before undone",
			"failed cancelled cancelled: failed"},
		{"a/before done, a/apply starts, cancel, a/apply stuck, a/before undone, all ended, all reopened, " +
			"a/apply undone, a/before undone",
			"cancelled cancelled cancelled: cancelled"},
		{"a/before done, a/apply fails, a/apply stuck, a/before undone, a/back done, a/back kept, b/before starts, cancel, " +
			"b/before undone, all ended, all reopened",
			"rollingBack cancelled skipped: "},
		{"a/before done, a/apply fails, a/apply stuck, a/before undone, a/back done, a/back kept, b/before starts, cancel, " +
			"b/before undone, all ended, all reopened, a/apply undone, a/before undone",
			"rolledBack cancelled skipped: cancelled"},
	} {
		t.Run(c.events, func(t *testing.T) {
			s := fold(c.events)
			var found []string
			for _, target := range s.Plan.Targets {
				found = append(found, string(s.Target(target.Name)))
			}
			got := fmt.Sprintf("%s: %s", strings.Join(found, " "), engine.Decide(s, time.Unix(2, 0)).End)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("targets and end (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNothingIsDoneToATargetThatHasEnded(t *testing.T) {
	s := fold("a/before done, a/apply done, a/gate fails, a/gate undone, a/apply undone, a/before undone, a/back done, " +
		"a/back kept, b/before starts, cancel")
	want := engine.Decision{
		Actions: []engine.Action{{Verb: engine.VerbUndo, Step: "b/before"}},
		Abort:   []sluice.StepID{"b/before", "b/apply", "b/gate"},
	}
	if diff := cmp.Diff(want, engine.Decide(s, time.Unix(2, 0))); diff != "" {
		t.Errorf("decision (-want +got):\n%s", diff)
	}
}
