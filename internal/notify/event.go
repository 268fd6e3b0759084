package notify

import (
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

// ends are the kinds of ends, by outcome.
var ends = map[sluice.Status]sluice.NotificationKind{
	sluice.StatusSucceeded:  sluice.NotifySucceeded,
	sluice.StatusFailed:     sluice.NotifyFailed,
	sluice.StatusRolledBack: sluice.NotifyRolledBack,
	sluice.StatusCancelled:  sluice.NotifyCancelled,
	sluice.StatusOvertaken:  sluice.NotifyOvertaken,
}

// plain are the events that always mean the same.
var plain = map[sluice.EventKind]sluice.NotificationKind{
	sluice.DeploymentQueued:   sluice.NotifyQueued,
	sluice.DeploymentStarted:  sluice.NotifyStarted,
	sluice.DeploymentReopened: sluice.NotifyReopened,
	sluice.StepFailed:         sluice.NotifyStepFailed,
	sluice.StepUndoFailed:     sluice.NotifyUndoFailed,
	sluice.StepFinishFailed:   sluice.NotifyLeftBehind,
}

// signals are the kinds of signals that a person sends.
var signals = map[string]sluice.NotificationKind{
	sluice.SignalApprove:     sluice.NotifyDecided,
	sluice.SignalReject:      sluice.NotifyDecided,
	sluice.SignalRollForward: sluice.NotifyDecided,
	sluice.SignalPromote:     sluice.NotifyDecided,
	sluice.SignalPause:       sluice.NotifyPaused,
	sluice.SignalContinue:    sluice.NotifyContinued,
}

// kindOf says what the event means for receivers, "" if nothing. s is the deployment before the event.
func kindOf(s *engine.State, e sluice.Event) sluice.NotificationKind {
	switch e.Kind {
	case sluice.DeploymentEnded:
		return ends[e.Outcome]
	case sluice.SignalReceived:
		return signals[e.Signal.Kind]
	case sluice.StepProgressed:
		if run := s.Steps[e.Step]; needsPerson(e.Progress) && !(run != nil && isWaiting(run)) {
			return sluice.NotifyWaiting
		}
		return ""
	case sluice.StepUndoing:
		if isUndoneAlready(s, e.Step.Target()) {
			return ""
		}
		return sluice.NotifyRollingBack
	}
	return plain[e.Kind]
}

// needsPerson reports whether a step waits until somebody approves it.
func needsPerson(p *sluice.Progress) bool {
	return p != nil && p.State == sluice.Waiting && p.Wait != nil && slices.Contains(p.Wait.Signals, sluice.SignalApprove)
}

// isWaiting reports whether the wait of the step was told already.
func isWaiting(run *engine.StepRun) bool {
	return run.Phase == engine.PhaseWaiting && needsPerson(&run.Progress)
}

// isUndoneAlready reports whether a step of the target is being undone or was.
func isUndoneAlready(s *engine.State, target string) bool {
	return slices.ContainsFunc(s.Started, func(id sluice.StepID) bool {
		switch run := s.Steps[id]; run.Phase {
		case engine.PhaseUndoing, engine.PhaseUndone, engine.PhaseUndoFailed:
			return run.Plan.Target == target
		}
		return false
	})
}
