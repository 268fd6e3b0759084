package engine

import (
	"slices"
	"time"

	"github.com/sluice-cd/sluice"
)

// A Verb is a method of a step that the engine calls.
type Verb string

// The verbs, in the order of a step's life.
const (
	VerbCheck   Verb = "check"
	VerbStart   Verb = "start"
	VerbObserve Verb = "observe"
	VerbFinish  Verb = "finish"
	VerbUndo    Verb = "undo"
)

// An Action is one thing to do now.
type Action struct {
	Verb Verb
	Step sluice.StepID
}

// A Decision is everything to do now. The same state always gives the same decision; the runner skips verbs that are
// already running.
type Decision struct {
	Actions []Action
	Abort   []sluice.StepID // steps whose check, start or observe is to be interrupted
	Skip    []sluice.StepID // steps to skip for the promotion that a person asked for, after they were interrupted
	Guards  []sluice.StepID // steps whose guard has to run; all other guards end
	Begin   bool            // start the deployment, if its turn has come
	Wake    time.Time       // when to decide again even if nothing happens; zero: never
	End     sluice.Status   // the outcome, once nothing is left to do
}

// Decide says what to do next. It is pure.
func Decide(s *State, now time.Time) Decision {
	var d Decision
	if s.Outcome != "" {
		return d
	}
	if s.Queued && s.Halt == nil {
		return Decision{Begin: true, Wake: now.Add(glance)}
	}
	seen, survey := map[sluice.Status]bool{}, s.survey()
	final := true
	for _, p := range s.Plan.Targets {
		at := survey.of(p.Name)
		d.target(s, s.targets[p.Name], at.course, now)
		final = final && isFinal(at.status)
		seen[at.status] = true
	}
	if final {
		d.End = outcome(s, seen)
	}
	return d
}

func (d *Decision) target(s *State, t *targetRun, c course, now time.Time) {
	switch c {
	case forward:
		d.forward(s, t, now)
		if len(t.waiting()) > 0 {
			d.Guards = append(d.Guards, t.guards()...)
		}
	case committing:
		d.commit(t)
	case undoing:
		d.undo(s, t, now)
	case stopped:
		for _, r := range t.runs {
			d.Abort = append(d.Abort, r.Plan.ID)
		}
	}
}

func (d *Decision) forward(s *State, t *targetRun, now time.Time) {
	for _, r := range t.runs {
		switch {
		case r.Plan.Phase == sluice.PhaseOnRollback:
		case t.paused != nil && r.Phase == PhasePending:
			d.Abort = append(d.Abort, r.Plan.ID)
		default:
			d.advance(s, r, now)
		}
	}
}

// advance does what a step needs next, if its predecessors are done.
func (d *Decision) advance(s *State, r *StepRun, now time.Time) {
	if slices.ContainsFunc(r.Plan.After, func(id sluice.StepID) bool { return !isDone(s.Steps[id]) }) {
		return
	}
	if s.targets[r.Plan.Target].promoted != nil && isSkippable(r) {
		d.Abort, d.Skip = append(d.Abort, r.Plan.ID), append(d.Skip, r.Plan.ID)
		return
	}
	switch r.Phase {
	case PhasePending:
		d.act(VerbCheck, r)
	case PhaseStarting:
		d.act(VerbStart, r)
	case PhaseRunning:
		d.act(VerbObserve, r)
	case PhaseWaiting:
		d.wait(r, now)
	}
}

func (d *Decision) wait(r *StepRun, now time.Time) {
	w := r.Progress.Wait
	due := !w.Until.IsZero() && !now.Before(w.Until)
	if due || hasHeard(r) {
		d.act(VerbObserve, r)
		return
	}
	if !w.Until.IsZero() && (d.Wake.IsZero() || w.Until.Before(d.Wake)) {
		d.Wake = w.Until
	}
}

// hasHeard reports whether a signal came that the step waits for.
func hasHeard(r *StepRun) bool {
	awaited := func(sig sluice.Signal) bool { return slices.Contains(r.Progress.Wait.Signals, sig.Kind) }
	return r.Phase == PhaseWaiting && slices.ContainsFunc(r.Progress.Signals, awaited)
}

// commit finishes the steps that are done, and undoes those that a kept failure interrupted.
func (d *Decision) commit(t *targetRun) {
	for _, r := range t.runs {
		if r.Plan.Phase != sluice.PhaseOnRollback {
			d.settle(r)
		}
	}
}

// undo undoes one step at a time, the last started first, and then runs onRollback.
func (d *Decision) undo(s *State, t *targetRun, now time.Time) {
	for _, r := range t.runs {
		if r.Plan.Phase != sluice.PhaseOnRollback {
			d.Abort = append(d.Abort, r.Plan.ID)
		}
	}
	if r := t.nextUndo(); r != nil {
		d.act(VerbUndo, r)
		return
	}
	if r := s.nextOnRollback(t); r != nil {
		d.advance(s, r, now)
		return
	}
	for _, r := range t.runs {
		if r.Plan.Phase == sluice.PhaseOnRollback {
			d.settle(r)
		}
	}
}

// settle finishes a step that is done and undoes one that was started but is not done.
func (d *Decision) settle(r *StepRun) {
	if isSettled(r) {
		return
	}
	if isDone(r) {
		d.act(VerbFinish, r)
		return
	}
	d.Abort = append(d.Abort, r.Plan.ID)
	d.act(VerbUndo, r)
}

func (d *Decision) act(verb Verb, r *StepRun) {
	d.Actions = append(d.Actions, Action{verb, r.Plan.ID})
}

func isFinal(s sluice.Status) bool {
	switch s {
	case sluice.StatusSucceeded, sluice.StatusFailed, sluice.StatusRolledBack, sluice.StatusCancelled,
		sluice.StatusSkipped:
		return true
	}
	return false
}

// outcome is the worst of the targets' statuses; skipped targets only follow others. A deployment that somebody rolled
// back was not cancelled, even if nothing was deployed to one of its targets.
func outcome(s *State, seen map[sluice.Status]bool) sluice.Status {
	if seen[sluice.StatusRolledBack] && !s.isCancelled() {
		seen[sluice.StatusCancelled] = false
	}
	for _, status := range []sluice.Status{sluice.StatusFailed, sluice.StatusCancelled, sluice.StatusRolledBack} {
		if seen[status] {
			return status
		}
	}
	return sluice.StatusSucceeded
}
