package engine

import (
	"slices"

	"github.com/sluice-cd/sluice"
)

// A person may pause targets. Then no further step of them begins until a person continues or promotes them. A step
// that has begun goes on to its end, and what fails is undone as ever: neither an undo nor what follows it can be
// paused.

// Paused returns the signal that paused the target, nil if it is not paused.
func (s *State) Paused(target string) *sluice.Signal {
	t := s.targets[target]
	if t == nil || t.paused == nil || !t.isHeld(s.survey().of(target).course) {
		return nil
	}
	return t.paused
}

// Held returns the first step that the pause of the target holds back, nil if the target is not paused.
func (s *State) Held(target string) *StepRun {
	if s.Paused(target) == nil {
		return nil
	}
	return s.targets[target].next()
}

// isHeld reports whether a pause keeps a target of that course from beginning further steps.
func (t *targetRun) isHeld(c course) bool { return t.paused != nil && (c == forward || c == blocked) }

// next returns the first step on the way forward that has not begun, nil if all have.
func (t *targetRun) next() *StepRun {
	for _, r := range t.runs {
		if r.Plan.Phase != sluice.PhaseOnRollback && r.Phase == PhasePending {
			return r
		}
	}
	return nil
}

// pause pauses or continues the targets that the signal is for.
func (s *State) pause(sig *sluice.Signal) {
	for _, name := range s.meant(*sig) {
		switch t := s.targets[name]; {
		case sig.Kind == sluice.SignalContinue:
			t.paused = nil
		case s.mayPause(name) == nil:
			t.paused = sig
		}
	}
}

// meant returns the targets that a pause or its end is for.
func (s *State) meant(sig sluice.Signal) []string {
	var names []string
	for _, t := range s.Plan.Targets {
		if sig.Target == "" || sig.Target == t.Name {
			names = append(names, t.Name)
		}
	}
	return names
}

// admitPause refuses a pause or its end that would change nothing. Of several targets the first one that has not ended
// says why.
func admitPause(s *State, sig sluice.Signal) error {
	may := s.mayPause
	if sig.Kind == sluice.SignalContinue {
		may = s.mayContinue
	}
	names := s.meant(sig)
	if len(names) == 0 {
		return sluice.Errorf(sluice.NotFound, "deployment %s has no target %q", s.ID, sig.Target).
			WithHint("see its targets with: sluice status %s", s.ID)
	}
	if slices.ContainsFunc(names, func(name string) bool { return may(name) == nil }) {
		return nil
	}
	open := slices.IndexFunc(names, func(name string) bool { return !isFinal(s.Target(name)) })
	return may(names[max(open, 0)])
}

func (s *State) mayPause(name string) error {
	at, t := s.survey().of(name), s.targets[name]
	switch {
	case s.Queued:
		return sluice.Errorf(sluice.Conflict, "deployment %s has not started: it waits for its turn", s.ID).
			WithHint("to drop it, type: sluice cancel %s", s.ID)
	case isFinal(at.status):
		return sluice.Errorf(sluice.Conflict, "target %s has ended: %s", name, at.status).
			WithHint("see it with: sluice status %s", s.ID)
	case at.course == undoing:
		return sluice.Errorf(sluice.Conflict, "target %s is being undone, which cannot be paused", name).
			WithHint("see how far it is with: sluice status %s", s.ID)
	case t.paused != nil:
		return sluice.Errorf(sluice.Conflict, "target %s is already paused, by %s", name, t.paused.By.Name).
			WithHint("continue with: sluice promote %s", s.ID)
	case t.next() == nil:
		return sluice.Errorf(sluice.Conflict, "target %s has begun its last step, so nothing is left to hold back", name).
			WithHint("to undo it, type: sluice cancel %s", s.ID)
	}
	return nil
}

func (s *State) mayContinue(name string) error {
	if s.Paused(name) != nil {
		return nil
	}
	return sluice.Errorf(sluice.Conflict, "target %s is not paused", name).
		WithHint("see what it does with: sluice status %s", s.ID)
}
