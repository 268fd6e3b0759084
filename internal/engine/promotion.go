package engine

import (
	"fmt"
	"slices"

	"github.com/sluice-cd/sluice"
)

// A person may ask for the promotion of a target before its strategy has come to it. Then the gates and weights that
// are left are skipped one after the other, each as soon as the steps before it are done. A gate that has begun is
// interrupted, a weight that has begun is not. Steps that do work are never skipped.

// Promotion returns the step that promotes the target, nil if none does.
func (s *State) Promotion(target string) *StepRun {
	if t := s.targets[target]; t != nil {
		for _, r := range t.runs {
			if r.Plan.Phase == sluice.PhasePromote {
				return r
			}
		}
	}
	return nil
}

// Skippable returns the steps that a promotion on request would skip now.
func (s *State) Skippable(target string) []*StepRun {
	t := s.targets[target]
	if t == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(t.runs), func(r *StepRun) bool { return !isSkippable(r) })
}

func isSkippable(r *StepRun) bool {
	ofStrategy := r.Plan.Phase == sluice.PhaseCanary || r.Plan.Phase == sluice.PhaseBlueGreen
	isWaiting := r.Plan.Kind.OnlyDelays() && isBusy(r) && !hasHeard(r)
	isAhead := (r.Plan.Kind.OnlyDelays() || r.Plan.Kind == sluice.KindSetWeight) && r.Phase == PhasePending
	return ofStrategy && (isWaiting || isAhead)
}

// skips returns the events that skip the steps.
func (r *runner) skips(ids []sluice.StepID) []sluice.Event {
	var events []sluice.Event
	for _, id := range ids {
		asked := r.state.targets[r.state.Steps[id].Plan.Target].promoted
		events = append(events, sluice.Event{Kind: sluice.StepSkipped, Step: id, Signal: asked})
	}
	return events
}

// admitPromotion refuses a promotion if there is nothing to skip, or if the target has to do or to decide something
// else first. To skip a step takes the roles that its approval would take.
func admitPromotion(s *State, run *StepRun, sig sluice.Signal) error {
	name := run.Plan.Target
	t, ahead := s.targets[name], s.Skippable(name)
	if run.Plan.Phase != sluice.PhasePromote {
		return sluice.Errorf(sluice.Conflict, "step %s is not the promotion of a target", sig.Step).
			WithHint("see the steps with: sluice status %s", s.ID)
	}
	if t.promoted != nil {
		return sluice.Errorf(sluice.Conflict, "target %s was already told to promote, by %s", name, t.promoted.By.Name).
			WithHint("see how far it is with: sluice status %s", s.ID)
	}
	if err := s.mayPromote(t); err != nil {
		return err
	}
	if len(ahead) == 0 {
		return sluice.Errorf(sluice.Conflict, "target %s has no gate or weight left to skip", name).
			WithHint("see what it does with: sluice status %s", s.ID)
	}
	for _, r := range ahead {
		if r.Plan.Pause == nil {
			continue
		}
		if r.Plan.Pause.ApprovedByAnother {
			if err := needAnother(s, sig); err != nil {
				return err
			}
		}
		if err := needRole(r.Plan.Pause.RequiresRoles, sig, fmt.Sprintf("to skip step %s", r.Plan.ID)); err != nil {
			return err
		}
	}
	return nil
}

// mayPromote refuses the promotion of a target that is not on its way to it, or whose metrics are bad. It says what can
// be done instead.
func (s *State) mayPromote(t *targetRun) error {
	switch at := s.survey().of(t.plan.Name); {
	case at.course == undoing && !isFinal(at.status):
		return sluice.Errorf(sluice.Conflict, "target %s is being undone; what is undone cannot be promoted", t.plan.Name).
			WithHint("when it has ended, start the release again with: sluice run")
	case isFinal(at.status):
		return sluice.Errorf(sluice.Conflict, "target %s has ended: %s", t.plan.Name, at.status).
			WithHint("see it with: sluice status %s", s.ID)
	case at.course == forward && len(t.started) == 0, at.course == blocked:
		return sluice.Errorf(sluice.Conflict, "target %s has not started", t.plan.Name).
			WithHint("see what the deployment does with: sluice status %s", s.ID)
	}
	if i := slices.IndexFunc(t.runs, isRejected); i >= 0 {
		return sluice.Errorf(sluice.Conflict, "step %s was rejected, so target %s is undone", t.runs[i].Plan.ID, t.plan.Name).
			WithHint("when it has ended, start the release again with: sluice run")
	}
	i := slices.IndexFunc(t.runs, isFoundBad)
	if i < 0 {
		return nil
	}
	id := t.runs[i].Plan.ID
	return sluice.Errorf(sluice.Conflict, "step %s found the release bad, and a person has to decide first", id).
		WithHint("continue with: sluice approve %s %s; undo the target with: sluice reject %[1]s %[2]s", s.ID, id)
}

// isRejected reports whether a person has rejected the step that still waits.
func isRejected(r *StepRun) bool {
	isRejection := func(sig sluice.Signal) bool { return sig.Kind == sluice.SignalReject }
	return hasHeard(r) && slices.ContainsFunc(r.Progress.Signals, isRejection)
}

// isFoundBad reports whether the step waits because its judgment is bad.
func isFoundBad(r *StepRun) bool {
	result := r.Progress.Result
	return r.Phase == PhaseWaiting && result != nil && result.Judgment != nil && result.Judgment.Verdict == sluice.Bad
}
