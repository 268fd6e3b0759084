package telemetry

import (
	"io"
	"log/slog"

	"github.com/sluice-cd/sluice"
)

// NewLogger returns a log with a line for each message: JSON for machines, otherwise text.
func NewLogger(w io.Writer, asJSON bool, level slog.Level) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	if asJSON {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// LogEvents logs what happened to a deployment and what an operator may want to know of its steps.
func LogEvents(log *slog.Logger, id sluice.DeploymentID, events []sluice.Event) {
	log = log.With("deployment", string(id))
	for _, e := range events {
		switch e.Kind {
		case sluice.DeploymentQueued, sluice.DeploymentStarted:
			if e.Plan != nil {
				log = log.With("application", e.Plan.Application)
			}
			log.Info(string(e.Kind))
		case sluice.DeploymentReopened:
			log.Info(string(e.Kind))
		case sluice.DeploymentEnded:
			log.Info(string(e.Kind), "outcome", string(e.Outcome))
		case sluice.SignalReceived:
			log.Info(string(e.Kind), "signal", e.Signal.Kind, "step", string(e.Signal.Step), "by", e.Signal.By.Name)
		case sluice.StepFailed, sluice.StepRetrying, sluice.StepUndoFailed, sluice.StepFinishFailed:
			log.Warn(string(e.Kind), "step", string(e.Step), "code", string(e.Failure.Code), "error", e.Failure.Message)
		}
	}
}
