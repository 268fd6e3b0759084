package server

import (
	"context"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/service"
)

// Entries lists the audit: see [sluice.Audit]. Without an application the caller must administer the whole server.
func (s *Server) Entries(
	ctx context.Context, c access.Caller, application string, before int64, most int,
) ([]sluice.AuditEntry, error) {
	if application == "" && !c.MayEverywhere(access.Administer) {
		return nil, sluice.Errorf(sluice.Denied, "%s may not read the audit of all applications", c.Actor.Name).
			WithHint("name an application, or ask for a role that grants administer everywhere")
	}
	if err := c.Need(access.Administer, application, ""); err != nil {
		return nil, err
	}
	return s.Store.Entries(ctx, application, before, most)
}

// Doctor examines what deployments of the bundle rely on.
func (s *Server) Doctor(ctx context.Context, c access.Caller, b service.Bundle) ([]service.Check, error) {
	if _, err := s.planned(ctx, c, b, "doctor"); err != nil {
		return nil, err
	}
	source, remove, err := s.unpack(b)
	if err != nil {
		return nil, err
	}
	defer remove()
	return s.Examine(ctx, source)
}
