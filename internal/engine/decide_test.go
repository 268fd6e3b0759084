package engine_test

import (
	"fmt"
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
