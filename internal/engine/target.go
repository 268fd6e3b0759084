package engine

import "github.com/sluice-cd/sluice"

// Target is the status of one target.
func (s *State) Target(name string) sluice.Status {
	t, _ := s.Plan.Target(name)
	switch course := s.course(t); course {
	case committing:
		return s.committed(t)
	case undoing:
		return s.undone(t)
	case skipped:
		return sluice.StatusSkipped
	case stopped:
		return sluice.StatusCancelled
	case blocked:
		return sluice.StatusPending
	}
	return s.busy(t)
}

// A course is which way a target goes. It follows from the events alone.
type course int

const (
	blocked    course = iota // a target it depends on has not succeeded yet
	forward                  // steps are started as their predecessors are done
	committing               // every step is done, or the failure is to be kept: steps are finished
	undoing                  // what was started is undone, then onRollback runs
	skipped                  // a target it depends on did not succeed
	stopped                  // halted before anything was started
)

func (s *State) course(t sluice.PlannedTarget) course {
	if s.any(t, isCommitted) {
		return committing
	}
	started := s.any(t, wasStarted)
	if s.Halt != nil && !started {
		return stopped
	}
	if s.Halt != nil || s.mustUndo(t) {
		return undoing
	}
	if s.any(t, hasFailed) || s.all(t, isDone) {
		return committing
	}
	if started {
		return forward
	}
	return s.gate(t)
}

// gate tells whether a target that has not begun may begin.
func (s *State) gate(t sluice.PlannedTarget) course {
	result := forward
	for _, dependency := range t.DependsOn {
		switch s.Target(dependency) {
		case sluice.StatusSucceeded:
		case sluice.StatusFailed, sluice.StatusRolledBack, sluice.StatusCancelled, sluice.StatusSkipped:
			return skipped
		default:
			result = blocked
		}
	}
	return result
}

// mustUndo reports whether a failure undoes the target: every one does, except those of afterDeployment
// steps where the file keeps them.
func (s *State) mustUndo(t sluice.PlannedTarget) bool {
	return s.any(t, func(r *StepRun) bool {
		return hasFailed(r) && (r.Plan.Phase != sluice.PhaseAfter || t.AfterFailure == "rollBack")
	})
}

func (s *State) committed(t sluice.PlannedTarget) sluice.Status {
	if !s.all(t, isSettled) {
		return sluice.StatusRunning
	}
	if s.any(t, hasFailed) {
		return sluice.StatusFailed
	}
	return sluice.StatusSucceeded
}

func (s *State) undone(t sluice.PlannedTarget) sluice.Status {
	if s.nextUndo(t) != nil || s.nextOnRollback(t) != nil {
		return sluice.StatusRollingBack
	}
	status := sluice.StatusRolledBack
	for _, r := range s.byTarget[t.Name] {
		if r.Plan.Phase == sluice.PhaseOnRollback && !isSettled(r) {
			return sluice.StatusRollingBack
		}
		if r.Phase == PhaseUndoFailed || (r.Plan.Phase == sluice.PhaseOnRollback && hasFailed(r)) {
			status = sluice.StatusFailed
		}
	}
	if status == sluice.StatusRolledBack && s.Halt != nil && s.Halt.Kind == sluice.SignalCancel {
		return sluice.StatusCancelled
	}
	return status
}

func (s *State) busy(t sluice.PlannedTarget) sluice.Status {
	waiting := false
	for _, r := range s.byTarget[t.Name] {
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
	if !s.any(t, wasStarted) {
		return sluice.StatusPending
	}
	return sluice.StatusRunning
}

// nextUndo returns the step that was started last and still has to be undone.
func (s *State) nextUndo(t sluice.PlannedTarget) *StepRun {
	for i := len(s.Started) - 1; i >= 0; i-- {
		r := s.Steps[s.Started[i]]
		if r.Plan.Target != t.Name || r.Plan.Phase == sluice.PhaseOnRollback {
			continue
		}
		if !isUndone(r) {
			return r
		}
	}
	return nil
}

// nextOnRollback returns the onRollback step that is not done yet. There is none where nothing was applied,
// so that nothing can have changed the data, and none after a cancel, which leaves the data as it is.
func (s *State) nextOnRollback(t sluice.PlannedTarget) *StepRun {
	if s.Halt != nil && s.Halt.Kind == sluice.SignalCancel || !s.any(t, func(r *StepRun) bool { return r.Plan.Phase == sluice.PhaseApply && wasStarted(r) }) {
		return nil
	}
	for _, r := range s.byTarget[t.Name] {
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

func wasStarted(r *StepRun) bool  { return !r.StartedAt.IsZero() }
func hasFailed(r *StepRun) bool   { return r.Failure != nil }
func isFinished(r *StepRun) bool  { return r.Phase == PhaseFinished }
func isCommitted(r *StepRun) bool { return r.Phase == PhaseFinishing || isFinished(r) }
func isDone(r *StepRun) bool      { return r.Phase == PhaseDone || isCommitted(r) }
func isUndone(r *StepRun) bool    { return r.Phase == PhaseUndone || r.Phase == PhaseUndoFailed }
func isSettled(r *StepRun) bool   { return isFinished(r) || isUndone(r) || !wasStarted(r) }

// any and all look at the target's steps other than those of onRollback.
func (s *State) any(t sluice.PlannedTarget, is func(*StepRun) bool) bool {
	for _, r := range s.byTarget[t.Name] {
		if r.Plan.Phase != sluice.PhaseOnRollback && is(r) {
			return true
		}
	}
	return false
}

func (s *State) all(t sluice.PlannedTarget, is func(*StepRun) bool) bool {
	return !s.any(t, func(r *StepRun) bool { return !is(r) })
}
