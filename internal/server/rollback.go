package server

import (
	"context"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/service"
)

// PlanRollback says what going back would mean: see [service.PlanRollback]. losses are by target.
func (s *Server) PlanRollback(ctx context.Context, c access.Caller, q service.RollbackRequest) (
	r *service.Rollback, losses map[string]service.Loss, err error,
) {
	q.By = c.Actor
	if r, err = service.PlanRollback(ctx, s.Visible(c), s.history, q); err != nil || len(q.Data) == 0 || r.Plan == nil {
		return r, nil, err
	}
	if err := s.needRestores(ctx, c, r, q.Reason); err != nil { // counting reads the data
		return nil, nil, err
	}
	losses, err = s.Site.Losses(ctx, r.Plan)
	return r, losses, err
}

// Rollback goes back: it tells a running deployment, goes on with an undo that failed, or starts a deployment that
// returns each target to the release before. It returns the deployment that does it. key is that of [Server.Deploy].
func (s *Server) Rollback(
	ctx context.Context, c access.Caller, q service.RollbackRequest, key string,
) (Started, error) {
	q.By = c.Actor
	r, err := service.PlanRollback(ctx, s.Visible(c), s.history, q)
	if err != nil {
		return Started{}, err
	}
	switch {
	case r.Running != nil:
		sig := sluice.Signal{Kind: sluice.SignalRollBack, Reason: q.Reason, Request: key}
		return Started{ID: r.Running.ID}, s.Signal(ctx, c, r.Running.ID, sig)
	case r.Unfinished != nil:
		return Started{ID: r.Unfinished.ID}, s.Reopen(ctx, c, r.Unfinished.ID, q.Reason)
	}
	entry := sluice.AuditEntry{Verb: string(access.RollBack), Application: r.Application, Reason: q.Reason}
	if err := s.needTargets(ctx, c, entry, targetsOf(r.Plan)); err != nil {
		return Started{}, err
	}
	if err := s.needRestores(ctx, c, r, q.Reason); err != nil {
		return Started{}, err
	}
	return s.start(ctx, c, r.Plan, key)
}

// needRestores is need for each target whose data the rollback puts back.
func (s *Server) needRestores(ctx context.Context, c access.Caller, r *service.Rollback, reason string) error {
	for _, t := range r.Targets {
		if t.Restore == nil {
			continue
		}
		err := s.need(ctx, c, sluice.AuditEntry{
			Verb: string(access.RestoreData), Application: r.Application, Target: t.Target, Reason: reason,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Reopen goes on with the undo of a deployment: see [engine.Engine.Reopen].
func (s *Server) Reopen(ctx context.Context, c access.Caller, id sluice.DeploymentID, reason string) error {
	state, err := s.see(ctx, c, id)
	if err != nil {
		return err
	}
	entry := sluice.AuditEntry{
		Verb: string(access.RollBack), Application: state.Plan.Application, Deployment: id, Reason: reason,
	}
	if err := s.needTargets(ctx, c, entry, targetsOf(state.Plan)); err != nil {
		return err
	}
	told, err := s.starting()
	if err != nil {
		return err
	}
	defer told()
	return s.Engine.Reopen(ctx, id, c.Actor)
}

// Retry deploys again what a deployment was to deploy: see [service.PlanRetry].
func (s *Server) Retry(
	ctx context.Context, c access.Caller, id sluice.DeploymentID, key string,
) (Started, error) {
	state, err := s.see(ctx, c, id)
	if err != nil {
		return Started{}, err
	}
	entry := sluice.AuditEntry{Verb: string(access.Deploy), Application: state.Plan.Application, Deployment: id}
	if err := s.needDeploy(ctx, c, entry, state.Plan); err != nil {
		return Started{}, err
	}
	_, p, err := service.PlanRetry(ctx, s.Visible(c), string(id))
	if err != nil {
		return Started{}, err
	}
	return s.start(ctx, c, p, key)
}
