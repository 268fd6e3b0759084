package server

import (
	"context"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/service"
)

// Restore starts a deployment that puts a checkpoint back: see [service.PlanRestore]. key is that of [Server.Deploy].
func (s *Server) Restore(
	ctx context.Context, c access.Caller, id sluice.CheckpointID, target, key string,
) (Started, error) {
	p, err := s.restoring(ctx, c, id, target)
	if err != nil {
		return Started{}, err
	}
	return s.start(ctx, c, p, key)
}

// restoring returns the plan that puts the checkpoint back, for a caller who may have the data there.
func (s *Server) restoring(
	ctx context.Context, c access.Caller, id sluice.CheckpointID, target string,
) (*sluice.Plan, error) {
	found, err := s.holds(ctx, c, id)
	if err != nil {
		return nil, err
	}
	if target != "" && target != found.Target {
		entry := sluice.AuditEntry{Verb: string(access.RestoreData), Application: found.Application, Target: target}
		if err := s.need(ctx, c, entry); err != nil {
			return nil, err
		}
	}
	p, _, err := service.PlanRestore(ctx, s.Visible(c), string(id), target, c.Actor)
	return p, err
}

// PlanRestore returns the plan of [Server.Restore] and what it would take away. It changes nothing.
func (s *Server) PlanRestore(ctx context.Context, c access.Caller, id sluice.CheckpointID, target string) (
	p *sluice.Plan, loss service.Loss, err error,
) {
	if p, err = s.restoring(ctx, c, id, target); err != nil {
		return nil, loss, err
	}
	losses, err := s.Site.Losses(ctx, p)
	return p, losses[p.Targets[0].Name], err
}

// DeleteCheckpoint deletes a checkpoint and its copy: see [service.DeleteCheckpoint].
func (s *Server) DeleteCheckpoint(ctx context.Context, c access.Caller, id sluice.CheckpointID) error {
	found, err := s.holds(ctx, c, id)
	if err != nil {
		return err
	}
	return s.Site.DeleteCheckpoint(ctx, found)
}

// KeepCheckpoint changes until when a checkpoint is kept: see [service.KeepCheckpoint].
func (s *Server) KeepCheckpoint(
	ctx context.Context, c access.Caller, id sluice.CheckpointID, until time.Time,
) (sluice.Checkpoint, error) {
	found, err := s.holds(ctx, c, id)
	if err != nil {
		return found, err
	}
	return service.KeepCheckpoint(ctx, s.Store, found, until, s.Now())
}

// holds returns the checkpoint for a caller who may decide about it.
func (s *Server) holds(ctx context.Context, c access.Caller, id sluice.CheckpointID) (sluice.Checkpoint, error) {
	found, err := s.Visible(c).Checkpoint(ctx, id)
	if err != nil {
		return found, err
	}
	return found, s.need(ctx, c, sluice.AuditEntry{
		Verb: string(access.RestoreData), Application: found.Application, Target: found.Target, Deployment: found.Deployment,
	})
}
