package engine

import (
	"iter"
	"slices"
	"time"

	"github.com/sluice-cd/sluice"
)

// A RunPhase is the phase of a step in its life.
//
//	pending ─► starting ─► running ⇄ waiting ─► done ─► finishing ─► finished
//	   │           └────────┴──────────┴─► failed | skipped ─► finishing ─► finished
//	   └─► failed | skipped        every one of them from starting on ─► undoing ⇄ undone | undoFailed
type RunPhase string

// The phases of a step.
const (
	PhasePending    RunPhase = "pending"
	PhaseStarting   RunPhase = "starting"
	PhaseRunning    RunPhase = "running"
	PhaseWaiting    RunPhase = "waiting"
	PhaseDone       RunPhase = "done"
	PhaseFailed     RunPhase = "failed"
	PhaseSkipped    RunPhase = "skipped"
	PhaseFinishing  RunPhase = "finishing"
	PhaseFinished   RunPhase = "finished"
	PhaseUndoing    RunPhase = "undoing"
	PhaseUndone     RunPhase = "undone"
	PhaseUndoFailed RunPhase = "undoFailed"
)

// A StepRun is a step's part of the state.
type StepRun struct {
	Plan      sluice.PlannedStep
	Phase     RunPhase
	Progress  sluice.Progress
	Failure   *sluice.Failure // why it failed
	Leftover  *sluice.Failure // why it could not be undone or finished
	Retrying  *sluice.Failure // what is away at the moment
	Skipped   *sluice.Signal  // for which it was skipped
	WaitsFor  string          // what its undo waits for at the moment
	StartedAt time.Time       // zero: it never started, so there is nothing to undo
	EndedAt   time.Time

	again bool // its undo has ended, and is to be repeated
}

// A State is a deployment as its events tell it. Only Apply changes it.
type State struct {
	ID        sluice.DeploymentID
	Plan      *sluice.Plan
	Seq       sluice.Seq
	StartedAt time.Time
	StartedBy sluice.Actor
	EndedAt   time.Time
	Queued    bool                // it waits for its turn, or did until it ended
	Outcome   sluice.Status       // "" until it ended
	Overtaker sluice.DeploymentID // that was queued later, if the outcome is StatusOvertaken
	Halt      *sluice.Signal      // the rollBack or cancel that stops it
	Steps     map[sluice.StepID]*StepRun
	Started   []sluice.StepID // in the order of their start
	targets   map[string]*targetRun
}

// Fold returns the state that the events lead to.
func Fold(id sluice.DeploymentID, events iter.Seq2[sluice.Event, error]) (*State, error) {
	s := &State{ID: id}
	for e, err := range events {
		if err != nil {
			return nil, err
		}
		s.Apply(e)
	}
	return s, nil
}

// Apply changes the state by one event.
func (s *State) Apply(e sluice.Event) {
	s.Seq = e.Seq
	switch e.Kind {
	case sluice.DeploymentQueued:
		s.begin(e)
		s.Queued = true
	case sluice.DeploymentStarted:
		if s.Queued {
			s.Queued, s.StartedAt = false, e.At
			return
		}
		s.begin(e)
	case sluice.DeploymentEnded:
		s.Outcome, s.EndedAt, s.Overtaker = e.Outcome, e.At, e.OvertakenBy
	case sluice.DeploymentReopened:
		s.reopen()
	case sluice.SignalReceived:
		s.signal(*e.Signal)
	default:
		if run := s.Steps[e.Step]; run != nil {
			s.applyStep(run, e)
		}
	}
}

// reopen lets every step be undone again that could not be undone, and those that its target started before: what is
// put back last has to be the oldest.
func (s *State) reopen() {
	s.Outcome, s.EndedAt = "", time.Time{}
	for _, t := range s.targets {
		again := false
		for _, r := range slices.Backward(t.started) {
			stuck := r.Phase == PhaseUndoFailed
			again = again || stuck && r.Plan.Phase != sluice.PhaseOnRollback
			if again || stuck {
				r.again, t.outcome = isUndone(r), ""
			}
		}
	}
}

// CanReopen reports whether the deployment has ended and left a step that could not be undone. What a rehearsal
// simulated is gone.
func (s *State) CanReopen() bool {
	if s.Outcome == "" || s.Plan.Rehearsal != nil {
		return false
	}
	return slices.ContainsFunc(s.Started, func(id sluice.StepID) bool { return s.Steps[id].Phase == PhaseUndoFailed })
}

func (s *State) begin(e sluice.Event) {
	s.Plan, s.StartedAt = e.Plan, e.At
	if e.Actor != nil {
		s.StartedBy = *e.Actor
	}
	s.Steps = make(map[sluice.StepID]*StepRun, len(e.Plan.Steps))
	s.targets = make(map[string]*targetRun, len(e.Plan.Targets))
	for _, t := range e.Plan.Targets {
		s.targets[t.Name] = &targetRun{plan: t}
	}
	for _, p := range e.Plan.Steps {
		run := &StepRun{Plan: p, Phase: PhasePending}
		s.Steps[p.ID] = run
		if s.targets[p.Target] == nil {
			s.targets[p.Target] = &targetRun{}
		}
		t := s.targets[p.Target]
		t.runs = append(t.runs, run)
	}
}

func (s *State) signal(sig sluice.Signal) {
	if sig.Kind == sluice.SignalRollBack || sig.Kind == sluice.SignalCancel {
		s.halt(&sig)
		return
	}
	if sig.Kind == sluice.SignalPause || sig.Kind == sluice.SignalContinue {
		s.pause(&sig)
		return
	}
	if run := s.Steps[sig.Step]; run != nil {
		if sig.Kind == sluice.SignalPromote {
			t := s.targets[run.Plan.Target]
			t.promoted, t.paused = &sig, nil
			return
		}
		run.Progress.Signals = append(slices.Clip(run.Progress.Signals), sig)
	}
}

// halt stops the targets that have not ended. The others keep their outcome.
func (s *State) halt(sig *sluice.Signal) {
	survey := s.survey()
	for name, t := range s.targets {
		if status := survey.of(name).status; isFinal(status) {
			t.outcome, t.spared = status, true
		}
	}
	s.Halt = sig
}

func (s *State) applyStep(run *StepRun, e sluice.Event) {
	run.Retrying, run.WaitsFor = nil, ""
	switch e.Kind {
	case sluice.StepStarting:
		run.Phase, run.StartedAt = PhaseStarting, e.At
		run.Progress = *e.Progress
		s.Started = append(s.Started, e.Step)
		t := s.targets[run.Plan.Target]
		t.started = append(t.started, run)
	case sluice.StepProgressed:
		run.report(e.Progress)
		run.Phase = PhaseRunning
		if e.Progress.State == sluice.Waiting {
			run.Phase = PhaseWaiting
		}
	case sluice.StepRetrying:
		run.Retrying = e.Failure
	case sluice.StepDone:
		run.report(e.Progress)
		run.Phase, run.EndedAt = PhaseDone, e.At
	case sluice.StepFailed:
		run.report(e.Progress)
		run.Phase, run.EndedAt, run.Failure = PhaseFailed, e.At, e.Failure
	case sluice.StepSkipped:
		run.Phase, run.EndedAt, run.Skipped = PhaseSkipped, e.At, e.Signal
	case sluice.StepUndoing:
		run.Phase, run.Leftover, run.again = PhaseUndoing, nil, false
		if e.Progress != nil {
			run.WaitsFor = e.Progress.Message
		}
	case sluice.StepUndone:
		run.Phase, run.EndedAt = PhaseUndone, e.At
	case sluice.StepUndoFailed:
		run.Phase, run.EndedAt, run.Leftover = PhaseUndoFailed, e.At, e.Failure
	case sluice.StepFinishing:
		run.Phase = PhaseFinishing
	case sluice.StepFinished:
		run.Phase = PhaseFinished
	case sluice.StepFinishFailed:
		run.Phase, run.Leftover = PhaseFinished, e.Failure
	}
}

// report applies a step's progress. The step cannot change the snapshot and the signals.
func (r *StepRun) report(p *sluice.Progress) {
	if p == nil {
		return
	}
	snapshot, signals, data := r.Progress.Snapshot, r.Progress.Signals, r.Progress.Data
	r.Progress = *p
	r.Progress.Snapshot, r.Progress.Signals = snapshot, signals
	if p.Data == nil {
		r.Progress.Data = data
	}
}

// stepContext returns what a step knows of its deployment.
func (s *State) stepContext(id sluice.StepID) sluice.StepContext {
	step := s.Steps[id].Plan
	return sluice.StepContext{
		Deployment: s.ID, StartedAt: s.StartedAt, StartedBy: s.StartedBy, Plan: s.Plan,
		Target: s.targets[step.Target].plan, Step: step, Report: func(sluice.Progress) {},
	}
}

// Results returns the evidence of the steps that are done, and marks those that were skipped.
func (s *State) Results() map[sluice.StepID]sluice.Result {
	results := map[sluice.StepID]sluice.Result{}
	for _, id := range s.Started {
		run := s.Steps[id]
		if run.Progress.Result != nil && run.Failure == nil {
			results[id] = *run.Progress.Result
		}
	}
	for id, run := range s.Steps {
		if run.Skipped != nil {
			results[id] = sluice.Result{Skipped: true}
		}
	}
	return results
}

// Status returns the status of the deployment as people see it.
func (s *State) Status() sluice.Status {
	if s.Outcome != "" {
		return s.Outcome
	}
	if s.Queued {
		return sluice.StatusQueued
	}
	status, survey := sluice.StatusPending, s.survey()
	for _, t := range s.Plan.Targets {
		switch at := survey.of(t.Name); {
		case at.status == sluice.StatusRollingBack:
			return sluice.StatusRollingBack
		case at.status == sluice.StatusRunning, at.status == sluice.StatusPending && at.course == forward:
			status = sluice.StatusRunning
		case at.status == sluice.StatusPaused && status != sluice.StatusRunning:
			status = sluice.StatusPaused
		case at.status == sluice.StatusWaiting && status == sluice.StatusPending:
			status = sluice.StatusWaiting
		}
	}
	if status == sluice.StatusPending {
		return sluice.StatusRunning
	}
	return status
}
