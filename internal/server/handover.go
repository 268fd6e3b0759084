package server

import (
	"context"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
)

// HandOver starts a plan that the caller has compiled and sealed with the key of this server: who may use it can read
// what the server keeps. Whether the plan can succeed is for the caller to see.
func (s *Server) HandOver(ctx context.Context, c access.Caller, p *sluice.Plan) (Started, error) {
	entry := sluice.AuditEntry{Verb: string(access.Deploy), Application: p.Application}
	if err := s.needTargets(ctx, c, entry, targetsOf(p)); err != nil {
		return Started{}, err
	}
	told, err := s.starting()
	if err != nil {
		return Started{}, err
	}
	defer told()
	id, err := s.Engine.Start(ctx, p, c.Actor)
	return Started{ID: id}, err
}
