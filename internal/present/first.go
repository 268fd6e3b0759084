package present

import (
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

// The first release of a target goes straight to 100 %: the weights and gates of its strategy and its promotion have
// nothing to do. So the plain view says this once instead of printing them. A rehearsal goes through its gates, and
// shows everything.

// isFirst reports whether the event ends the apply of a first release.
func isFirst(s *engine.State, e sluice.Event) bool {
	isDone := e.Kind == sluice.StepDone && s.Plan.Rehearsal == nil
	return isDone && e.Progress.Result != nil && e.Progress.Result.First
}

// isIdle reports whether the event is of a step that a first release leaves out.
func isIdle(s *engine.State, e sluice.Event) bool {
	run := s.Steps[e.Step]
	if run == nil || s.Plan.Rehearsal != nil || e.Kind != sluice.StepStarting && e.Kind != sluice.StepDone {
		return false
	}
	return isLeftOut(run.Plan) && slices.ContainsFunc(s.Plan.Steps, func(p sluice.PlannedStep) bool {
		r := s.Steps[p.ID].Progress.Result
		return p.Target == run.Plan.Target && r != nil && r.First
	})
}

// isLeftOut reports whether a first release leaves the step out.
func isLeftOut(p sluice.PlannedStep) bool {
	ofStrategy := p.Phase == sluice.PhaseCanary || p.Phase == sluice.PhaseBlueGreen
	return p.Phase == sluice.PhasePromote || ofStrategy && (p.SetWeight != nil || p.Kind.OnlyDelays())
}

// first prints what a first release brought, and which steps of its strategy are left out.
func (v *PlainView) first(s *engine.State, e sluice.Event) {
	id := string(e.Step) + "  "
	all, progress := e.Progress.Changes, *e.Progress
	isCreated := func(c sluice.Change) bool { return c.Outcome == sluice.Created }
	progress.Changes = slices.DeleteFunc(slices.Clone(all), isCreated)
	if n := len(all) - len(progress.Changes); n > 0 {
		v.line(s, e.At, id+Plural(n, "object")+" created")
	}
	e.Progress = &progress
	v.Event(s, e)
	if left := leftOut(s, s.Steps[e.Step].Plan); left != "" {
		v.line(s, e.At, id+"the first release goes straight to 100 %, without "+left+" of its strategy")
	}
}

// leftOut counts the weights and gates that a first release leaves out after its apply. It is "" if a later release
// goes straight to 100 % as well.
func leftOut(s *engine.State, apply sluice.PlannedStep) string {
	if apply.Apply == nil || !apply.Apply.Canary {
		return ""
	}
	weights, gates := 0, 0
	for _, p := range s.Plan.Steps {
		switch {
		case p.Target != apply.Target || p.Phase == sluice.PhasePromote || !isLeftOut(p):
		case p.SetWeight != nil:
			weights++
		default:
			gates++
		}
	}
	var left []string
	if weights > 0 {
		left = append(left, Plural(weights, "weight"))
	}
	if gates > 0 {
		left = append(left, Plural(gates, "gate"))
	}
	return strings.Join(left, " and ")
}
