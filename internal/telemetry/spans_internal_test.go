package telemetry

import (
	"iter"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
)

// log yields the events a minute apart.
func log(events ...sluice.Event) iter.Seq2[sluice.Event, error] {
	return func(yield func(sluice.Event, error) bool) {
		for i, e := range events {
			e.Seq, e.At = sluice.Seq(i+1), time.Unix(int64(i)*60, 0)
			if !yield(e, nil) {
				return
			}
		}
	}
}

// drawn writes the spans as lines of: parent, name, minutes of start and end, failure.
func drawn(s *span, in string) []string {
	minute := func(t time.Time) string { return (time.Duration(t.Unix()) * time.Second).String() }
	lines := []string{in + " > " + s.name + " " + minute(s.start) + "-" + minute(s.end) + " " + s.failure}
	for _, p := range s.parts {
		lines = append(lines, drawn(p, s.name)...)
	}
	return lines
}

func TestSpansOfAnUndoThatIsTakenUpAgain(t *testing.T) {
	plan := &sluice.Plan{Application: "shop", Targets: []sluice.PlannedTarget{{Name: "a"}},
		Steps: []sluice.PlannedStep{{ID: "a/apply/0", Target: "a"}, {ID: "a/after/0", Target: "a"}}}
	failure := &sluice.Failure{Code: sluice.Failed, Message: "it broke"}
	first := []sluice.Event{
		{Kind: sluice.DeploymentStarted, Plan: plan},
		{Kind: sluice.StepStarting, Step: "a/apply/0", Progress: &sluice.Progress{}},
		{Kind: sluice.StepDone, Step: "a/apply/0"},
		{Kind: sluice.StepFailed, Step: "a/after/0", Failure: failure}, // it never started
		{Kind: sluice.StepUndoing, Step: "a/apply/0"},
		{Kind: sluice.StepUndoing, Step: "a/apply/0", Progress: &sluice.Progress{Message: "waits"}},
		{Kind: sluice.StepUndoFailed, Step: "a/apply/0", Failure: failure},
		{Kind: sluice.DeploymentEnded, Outcome: sluice.StatusFailed},
	}
	again := append(first,
		sluice.Event{Kind: sluice.DeploymentReopened},
		sluice.Event{Kind: sluice.StepUndoing, Step: "a/apply/0"},
		sluice.Event{Kind: sluice.StepUndone, Step: "a/apply/0"},
		sluice.Event{Kind: sluice.DeploymentEnded, Outcome: sluice.StatusRolledBack})
	for _, c := range []struct {
		events []sluice.Event
		begun  sluice.Seq
		want   []string
	}{
		{first, 1, []string{
			" > deployment 0s-7m0s failed",
			"deployment > target a 1m0s-6m0s it broke",
			"target a > a/apply/0 1m0s-2m0s ",
			"target a > a/after/0 3m0s-3m0s it broke",
			"target a > undo a/apply/0 4m0s-6m0s it broke",
		}},
		{again, 9, []string{
			" > deployment reopened 8m0s-11m0s rolledBack",
			"deployment reopened > target a 9m0s-10m0s ",
			"target a > undo a/apply/0 9m0s-10m0s ",
		}},
	} {
		root, begun, err := spansOf("d", log(c.events...))
		if err != nil || begun != c.begun {
			t.Fatal(begun, err)
		}
		if diff := cmp.Diff(c.want, drawn(root, "")); diff != "" {
			t.Error(diff)
		}
	}
}
