package server

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/service"
)

// Validate returns all findings in the bundle, and in its manifests if manifests is true. Everybody who may deploy
// anything may validate.
func (s *Server) Validate(
	ctx context.Context, c access.Caller, b service.Bundle, manifests bool,
) (sluice.Diagnostics, error) {
	if err := c.Need(access.Deploy, "", ""); err != nil {
		return nil, err
	}
	source, remove, err := s.unpack(b)
	if err != nil {
		return nil, err
	}
	defer remove()
	return service.Validate(ctx, source, s.Site.Surroundings(), manifests)
}

// Plan returns the plan of the bundle with its warnings, and what its steps would do unless offline is true.
func (s *Server) Plan(
	ctx context.Context, c access.Caller, b service.Bundle, offline bool,
) (out service.PlanPreview, warnings sluice.Diagnostics, err error) {
	compiled, err := s.planned(ctx, c, b, "plan")
	out.Plan, warnings = compiled.Plan, compiled.Warnings
	if err != nil || offline {
		return out, warnings, err
	}
	if out, err = s.Site.Preview(ctx, compiled.Plan); err != nil {
		return out, warnings, err
	}
	return out, warnings, nil
}

// planned compiles the bundle for a caller who may deploy it. The audit has who was refused which operation.
func (s *Server) planned(
	ctx context.Context, c access.Caller, b service.Bundle, operation string,
) (service.Compiled, error) {
	compiled, err := s.drafted(ctx, c, b)
	if err != nil {
		s.refused(ctx, c, "", operation, err)
		return compiled, err
	}
	for _, t := range compiled.Plan.Targets {
		err = errors.Join(err, c.Need(access.Deploy, compiled.Plan.Application, t.Name))
	}
	if err == nil {
		err = needContents(c, compiled.Plan)
	}
	if err != nil {
		s.refused(ctx, c, compiled.Plan.Application, operation, err)
		return service.Compiled{}, err
	}
	return compiled, nil
}

// refused records in the audit that a right was missing. Programs ask for plans often, so a flood leaves few entries.
func (s *Server) refused(ctx context.Context, c access.Caller, application, operation string, err error) {
	if s.Refusals == nil || sluice.ErrorCode(err) != sluice.Denied {
		return
	}
	e := sluice.AuditEntry{By: c.Actor, Verb: string(access.Deploy), Application: application}
	why := strings.ReplaceAll(err.Error(), "\n", "; ")
	s.Refusals.Record(ctx, e, fmt.Errorf("%s: %s", operation, why))
}

// drafted compiles the bundle for a caller who may deploy something. The caller may not see it before it is known
// whether that includes the bundle.
func (s *Server) drafted(ctx context.Context, c access.Caller, b service.Bundle) (service.Compiled, error) {
	if err := c.Need(access.Deploy, "", ""); err != nil { // before anything is read
		return service.Compiled{}, err
	}
	return s.compile(ctx, b)
}
