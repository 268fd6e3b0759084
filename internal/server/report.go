package server

import (
	"context"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
)

// Report returns what a verification found, keys included. NotFound: the step verified nothing yet.
func (s *Server) Report(
	ctx context.Context, c access.Caller, id sluice.DeploymentID, step sluice.StepID,
) (sluice.Verification, error) {
	state, err := s.see(ctx, c, id)
	if err != nil {
		return sluice.Verification{}, err
	}
	entry := sluice.AuditEntry{Verb: string(access.ReadReports), Application: state.Plan.Application,
		Target: step.Target(), Deployment: id, Step: step}
	if err := s.need(ctx, c, entry); err != nil {
		return sluice.Verification{}, err
	}
	if run := state.Steps[step]; run != nil {
		if run.Failure != nil && run.Failure.Result != nil && run.Failure.Result.Verification != nil {
			return *run.Failure.Result.Verification, nil
		}
		if r := run.Progress.Result; r != nil && r.Verification != nil {
			return *r.Verification, nil
		}
	}
	return sluice.Verification{}, sluice.Errorf(sluice.NotFound, "step %s of deployment %s verified nothing", step, id)
}
