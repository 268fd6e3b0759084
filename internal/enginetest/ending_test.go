package enginetest

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

// An ending is everything about a deployment that must be the same however often the engine was killed.
type ending struct {
	Outcome sluice.Status
	Targets map[string]sluice.Status
	Steps   map[sluice.StepID]engine.RunPhase
	Facts   map[string]string // of the world
	Signals []string          // that were heard

	lives      int
	repeated   []string
	complaints []string
}

// newEnding describes how the deployment ended.
func newEnding(t *testing.T, log sluice.Log, id sluice.DeploymentID, w *memoryWorld, lives int) *ending {
	t.Helper()
	state, err := engine.Fold(id, log.Read(context.Background(), id, 0))
	if err != nil {
		t.Fatal(err)
	}
	end := &ending{
		Outcome: state.Outcome, Targets: map[string]sluice.Status{}, Steps: map[sluice.StepID]engine.RunPhase{},
		Facts: maps.Clone(w.facts), lives: lives, repeated: w.repeated(), complaints: w.complaints,
	}
	for _, target := range state.Plan.Targets {
		end.Targets[target.Name] = state.Target(target.Name)
	}
	stuck := map[string]bool{}
	for _, run := range state.Steps {
		stuck[run.Plan.Target] = stuck[run.Plan.Target] || run.Phase == engine.PhaseUndoFailed
	}
	for step, run := range state.Steps {
		end.Steps[step] = run.Phase
		if run.Phase == engine.PhaseUndone && !stuck[run.Plan.Target] {
			// Whether a step of a parallel list had begun when its sibling failed is chance, and once it is undone
			// it makes no difference.
			end.Steps[step] = engine.PhasePending
		}
	}
	for e, err := range log.Read(context.Background(), id, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind == sluice.SignalReceived {
			end.Signals = append(end.Signals, e.Signal.Kind+" "+string(e.Signal.Step))
		}
	}
	slices.Sort(end.Signals)
	return end
}

// left lists the facts about targets that were undone.
func (e *ending) left() (list []string) {
	for target, status := range e.Targets {
		if status != sluice.StatusRolledBack && status != sluice.StatusCancelled {
			continue
		}
		for name := range e.Facts {
			isOf := strings.Contains(name, target+"/") || name == "version of "+target
			if isOf && !strings.Contains(name, "onRollback") && !strings.HasPrefix(name, "outage of ") {
				list = append(list, name)
			}
		}
	}
	return list
}

// began counts the steps that began. Each has at least one effect, and is recorded at least once.
func (e *ending) began() int {
	n := 0
	for _, phase := range e.Steps {
		if phase != engine.PhasePending && phase != engine.PhaseSkipped {
			n++
		}
	}
	return n
}

// compare fails the test unless the deployment ended as it should.
func (e *ending) compare(t *testing.T, want *ending, when string) {
	t.Helper()
	if diff := cmp.Diff(want, e, cmpopts.IgnoreUnexported(ending{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s: it ended otherwise (-want +got):\n%s", when, diff)
	}
	if len(e.repeated) > 0 {
		t.Errorf("%s: effects were repeated: %q", when, e.repeated)
	}
	if len(e.complaints) > 0 {
		t.Errorf("%s: %q", when, e.complaints)
	}
}
