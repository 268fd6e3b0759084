package engine

import (
	"slices"

	"github.com/sluice-cd/sluice"
)

// Target returns the status of one target.
func (s *State) Target(name string) sluice.Status { return s.survey().of(name).status }

// A targetRun is a target's part of the state.
type targetRun struct {
	plan    sluice.PlannedTarget
	runs    []*StepRun    // in the order of the plan
	started []*StepRun    // in the order of their start
	outcome sluice.Status // of a target that had ended before somebody halted the deployment
	spared  bool          // it had ended before, so it does not go where the others were sent

	promoted *sluice.Signal // that skips what is left of the strategy
	paused   *sluice.Signal // that holds back the steps that have not begun
}

// A standing holds the course and the status of a target.
type standing struct {
	course course
	status sluice.Status
}

// A survey finds the standing of the targets of one state. It looks at each target once, however many depend on it.
type survey struct {
	state *State
	found map[string]standing
}

func (s *State) survey() survey { return survey{s, make(map[string]standing, len(s.targets))} }

func (v survey) of(name string) standing {
	at, ok := v.found[name]
	if ok {
		return at
	}
	t := v.state.targets[name]
	if t == nil {
		t = &targetRun{}
	}
	if t.outcome != "" {
		v.found[name] = standing{over, t.outcome}
		return v.found[name]
	}
	v.found[name] = standing{blocked, sluice.StatusPending} // targets that depend on each other never begin
	at.course = v.course(t)
	at.status = v.state.status(t, at.course)
	v.found[name] = at
	return at
}

// A course is the direction in which a target goes. It follows from the events alone.
type course int

const (
	blocked    course = iota // a target it depends on has not succeeded yet
	forward                  // steps are started as their predecessors are done
	committing               // every step is done, or the failure is to be kept: steps are finished
	undoing                  // what was started is undone, then onRollback runs
	skipped                  // a target it depends on did not succeed, or the deployment was overtaken
	stopped                  // halted before anything was started
	over                     // ended before the deployment was halted
)

func (v survey) course(t *targetRun) course {
	if t.any(isCommitted) {
		return committing
	}
	if v.state.Outcome == sluice.StatusOvertaken {
		return skipped
	}
	halted, started := v.state.Halt != nil && !t.spared, len(t.started) > 0
	switch {
	case halted && !started:
		return stopped
	case halted || t.mustUndo():
		return undoing
	case t.any(hasFailed) || t.all(isDone):
		return committing
	case started:
		return forward
	}
	return v.gate(t)
}

// gate says whether a target that has not begun may begin.
func (v survey) gate(t *targetRun) course {
	result := forward
	for _, dependency := range t.plan.DependsOn {
		switch status := v.of(dependency).status; {
		case status == sluice.StatusSucceeded:
		case isFinal(status):
			return skipped
		default:
			result = blocked
		}
	}
	return result
}

func (s *State) status(t *targetRun, c course) sluice.Status {
	if t.isHeld(c) {
		return sluice.StatusPaused
	}
	switch c {
	case committing:
		return t.committed()
	case undoing:
		return s.undone(t)
	case skipped:
		return sluice.StatusSkipped
	case stopped:
		return sluice.StatusCancelled
	case blocked:
		return sluice.StatusPending
	}
	return t.busy()
}

// mustUndo reports whether a failure undoes the target. Every failure does, except that of an afterDeployment step if
// the deploy file keeps the target.
func (t *targetRun) mustUndo() bool {
	return t.any(func(r *StepRun) bool {
		return hasFailed(r) && (r.Plan.Phase != sluice.PhaseAfter || t.plan.AfterFailure == "rollBack")
	})
}

func (t *targetRun) committed() sluice.Status {
	if !t.all(isSettled) {
		return sluice.StatusRunning
	}
	if t.any(hasFailed) {
		return sluice.StatusFailed
	}
	return sluice.StatusSucceeded
}

func (s *State) undone(t *targetRun) sluice.Status {
	if t.nextUndo() != nil || s.nextOnRollback(t) != nil {
		return sluice.StatusRollingBack
	}
	status := sluice.StatusRolledBack
	for _, r := range t.runs {
		if r.Plan.Phase == sluice.PhaseOnRollback && !isSettled(r) {
			return sluice.StatusRollingBack
		}
		if r.Phase == PhaseUndoFailed || (r.Plan.Phase == sluice.PhaseOnRollback && hasFailed(r)) {
			status = sluice.StatusFailed
		}
	}
	deployed := t.deployed()
	switch {
	case status == sluice.StatusFailed || !deployed && t.any(hasFailed):
		return sluice.StatusFailed
	case !deployed || s.isCancelled() && !t.spared:
		return sluice.StatusCancelled
	}
	return status
}

// deployed reports whether objects were applied or data was replaced. Other steps only decide, look and copy.
func (t *targetRun) deployed() bool {
	return t.any(func(r *StepRun) bool {
		changes := func(c sluice.Change) bool { return c.Outcome != sluice.Unchanged }
		return wasStarted(r) && (r.Plan.Phase == sluice.PhaseApply || slices.ContainsFunc(r.Progress.Changes, changes))
	})
}

func (t *targetRun) busy() sluice.Status {
	waiting := false
	for _, r := range t.runs {
		switch r.Phase {
		case PhaseStarting, PhaseRunning:
			return sluice.StatusRunning
		case PhaseWaiting:
			waiting = true
		}
	}
	if waiting {
		return sluice.StatusWaiting
	}
	if len(t.started) == 0 {
		return sluice.StatusPending
	}
	return sluice.StatusRunning
}

// waiting returns the steps that wait or work and leave the pods alone, or else the one that a pause holds back. There
// are none while another step changes pods.
func (t *targetRun) waiting() []sluice.StepID {
	var ids []sluice.StepID
	for _, r := range t.runs {
		if !isBusy(r) || r.Plan.Phase == sluice.PhaseOnRollback {
			continue
		}
		if r.Plan.Kind.ChangesPods() {
			return nil
		}
		ids = append(ids, r.Plan.ID)
	}
	if r := t.next(); len(ids) == 0 && r != nil && t.paused != nil {
		return []sluice.StepID{r.Plan.ID}
	}
	return ids
}

// guards returns the steps whose pods have to stay well while others wait.
func (t *targetRun) guards() []sluice.StepID {
	var ids []sluice.StepID
	for _, r := range t.runs {
		if r.Plan.Phase == sluice.PhaseApply && r.Phase == PhaseDone {
			ids = append(ids, r.Plan.ID)
		}
	}
	return ids
}

// nextUndo returns the step that was started last and still has to be undone.
func (t *targetRun) nextUndo() *StepRun {
	for _, r := range slices.Backward(t.started) {
		if r.Plan.Phase != sluice.PhaseOnRollback && !isUndone(r) {
			return r
		}
	}
	return nil
}

// nextOnRollback returns the onRollback step that is not done yet. There is none if nothing was applied, because then
// nothing can have changed the data, and none after a cancel, which leaves the data as it is.
func (s *State) nextOnRollback(t *targetRun) *StepRun {
	applied := t.any(func(r *StepRun) bool { return r.Plan.Phase == sluice.PhaseApply && wasStarted(r) })
	if s.isCancelled() && !t.spared || !applied {
		return nil
	}
	for _, r := range t.runs {
		if r.Plan.Phase != sluice.PhaseOnRollback || isDone(r) {
			continue
		}
		if hasFailed(r) {
			return nil
		}
		return r
	}
	return nil
}

func (s *State) isCancelled() bool { return s.Halt != nil && s.Halt.Kind == sluice.SignalCancel }

func wasStarted(r *StepRun) bool { return !r.StartedAt.IsZero() }
func hasFailed(r *StepRun) bool  { return r.Failure != nil }
func isBusy(r *StepRun) bool {
	return r.Phase == PhaseStarting || r.Phase == PhaseRunning || r.Phase == PhaseWaiting
}
func isFinished(r *StepRun) bool  { return r.Phase == PhaseFinished }
func isCommitted(r *StepRun) bool { return r.Phase == PhaseFinishing || isFinished(r) }
func isDone(r *StepRun) bool {
	return r.Phase == PhaseDone || r.Phase == PhaseSkipped || isCommitted(r)
}
func isUndone(r *StepRun) bool {
	return !r.again && (r.Phase == PhaseUndone || r.Phase == PhaseUndoFailed)
}
func isSettled(r *StepRun) bool { return isFinished(r) || isUndone(r) || !wasStarted(r) }

// any and all look at the target's steps other than those of onRollback.
func (t *targetRun) any(is func(*StepRun) bool) bool {
	return slices.ContainsFunc(t.runs, func(r *StepRun) bool { return r.Plan.Phase != sluice.PhaseOnRollback && is(r) })
}

func (t *targetRun) all(is func(*StepRun) bool) bool {
	return !t.any(func(r *StepRun) bool { return !is(r) })
}
