package engine_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/enginetest"
)

// waves is a deployment of waves of targets that has begun.
func waves(n, width int) *engine.State {
	s := &engine.State{ID: "d"}
	s.Apply(sluice.Event{Seq: 1, Kind: sluice.DeploymentStarted, Plan: enginetest.Waves(n, width)})
	return s
}

// succeed lets the targets of a wave succeed.
func succeed(s *engine.State, wave, width int) {
	for i := range width {
		id := sluice.StepID(fmt.Sprintf("wave-%d-%d/apply", wave, i))
		s.Apply(sluice.Event{Kind: sluice.StepStarting, Step: id, At: time.Unix(1, 0), Progress: &sluice.Progress{}})
		for _, kind := range []sluice.EventKind{sluice.StepDone, sluice.StepFinishing, sluice.StepFinished} {
			s.Apply(sluice.Event{Kind: kind, Step: id, Progress: &sluice.Progress{State: sluice.Done}})
		}
	}
}

// A decision that looked at a target once for every path that leads to it would not end before the test is killed: 20
// waves of 20 targets have 20 to the power of 19 paths.
func TestADecisionLooksAtEachTargetOnce(t *testing.T) {
	const n, width = 20, 20
	s := waves(n, width)
	for wave := range n {
		d := engine.Decide(s, time.Time{})
		if len(d.Actions) != width || d.End != "" || s.Status() != sluice.StatusRunning {
			t.Fatalf("wave %d: %d actions, end %q, status %s", wave, len(d.Actions), d.End, s.Status())
		}
		if last := s.Target(fmt.Sprintf("wave-%d-0", n-1)); last != sluice.StatusPending {
			t.Fatalf("wave %d: the last wave is %s", wave, last)
		}
		succeed(s, wave, width)
	}
	if d := engine.Decide(s, time.Time{}); d.End != sluice.StatusSucceeded {
		t.Errorf("in the end the decision is %+v", d)
	}
}

// Deploy files with such targets are refused, but a log must never hang the engine.
func TestTargetsThatDependOnEachOtherStayPending(t *testing.T) {
	p := &sluice.Plan{Targets: []sluice.PlannedTarget{
		{Name: "a", DependsOn: []string{"b"}}, {Name: "b", DependsOn: []string{"a"}},
	}}
	for _, name := range []string{"a", "b"} {
		p.Steps = append(p.Steps,
			sluice.PlannedStep{ID: sluice.StepID(name + "/apply"), Target: name, Phase: sluice.PhaseApply})
	}
	s := &engine.State{}
	s.Apply(sluice.Event{Seq: 1, Kind: sluice.DeploymentStarted, Plan: p})
	if d := engine.Decide(s, time.Time{}); len(d.Actions) != 0 || d.End != "" {
		t.Errorf("the decision is %+v", d)
	}
}

func BenchmarkDecide(b *testing.B) {
	s := waves(20, 20)
	for b.Loop() {
		engine.Decide(s, time.Time{})
	}
}

// guarded is a target whose apply is done, and two steps after it that may run at the same time.
func guarded(first, second sluice.StepKind) *engine.State {
	step := func(id sluice.StepID, phase sluice.Phase, kind sluice.StepKind) sluice.PlannedStep {
		return sluice.PlannedStep{ID: id, Target: "a", Phase: phase, StepSpec: sluice.StepSpec{Kind: kind}}
	}
	s := &engine.State{ID: "d"}
	s.Apply(sluice.Event{Seq: 1, Kind: sluice.DeploymentStarted, Plan: &sluice.Plan{
		Targets: []sluice.PlannedTarget{{Name: "a", AfterFailure: "rollBack"}, {Name: "b"}},
		Steps: []sluice.PlannedStep{
			step("a/apply", sluice.PhaseApply, sluice.KindApply), step("a/1", sluice.PhaseAfter, first),
			step("a/2", sluice.PhaseAfter, second),
		},
	}})
	return s
}

func TestGuardsRunWhileAStepWaits(t *testing.T) {
	starting := func(id sluice.StepID) sluice.Event {
		return sluice.Event{Kind: sluice.StepStarting, Step: id, At: time.Unix(1, 0), Progress: &sluice.Progress{}}
	}
	as := func(id sluice.StepID, kind sluice.EventKind, state sluice.StepState) sluice.Event {
		return sluice.Event{Kind: kind, Step: id, Failure: &sluice.Failure{}, Progress: &sluice.Progress{State: state,
			Wait: &sluice.Wait{Signals: []string{sluice.SignalApprove}}}}
	}
	and := func(list []sluice.Event, e ...sluice.Event) []sluice.Event { return append(slices.Clip(list), e...) }
	applied := []sluice.Event{starting("a/apply"), as("a/apply", sluice.StepDone, sluice.Done)}
	working := and(applied, starting("a/1"))
	waiting := and(working, as("a/1", sluice.StepProgressed, sluice.Waiting))
	pause, done := sluice.KindPause, sluice.StepDone
	for name, test := range map[string]struct {
		first, second sluice.StepKind
		events        []sluice.Event
		guarded       bool
	}{
		"nothing waits":              {pause, pause, applied, false},
		"apply is not done":          {pause, pause, and(applied[:1], starting("a/1")), false},
		"a step waits":               {pause, pause, waiting, true},
		"a step of a new kind waits": {"brandNew", pause, waiting, true},
		"a verb of a step runs":      {sluice.KindRunWebhook, pause, working, true},
		"a step starts pods":         {sluice.KindSetWeight, pause, working, false},
		"another one stops pods":     {pause, sluice.KindMigrateData, and(waiting, starting("a/2")), false},
		"another one waits too":      {pause, sluice.KindRunJob, and(waiting, starting("a/2")), true},
		"the other one is done":      {pause, sluice.KindPrune, and(waiting, as("a/2", done, sluice.Done)), true},
		"the step is done":           {pause, pause, and(waiting, as("a/1", done, sluice.Done)), false},
		"the target is being undone": {pause, pause, and(waiting, as("a/2", sluice.StepFailed, "")), false},
	} {
		s := guarded(test.first, test.second)
		for _, e := range test.events {
			s.Apply(e)
		}
		if got := len(engine.Decide(s, time.Time{}).Guards) == 1; got != test.guarded {
			t.Errorf("%s: guarded is %t", name, got)
		}
	}
}
