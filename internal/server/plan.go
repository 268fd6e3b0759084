package server

import (
	"context"
	"errors"

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
	compiled, err := s.planned(ctx, c, b)
	out.Plan, warnings = compiled.Plan, compiled.Warnings
	if err != nil || offline {
		return out, warnings, err
	}
	if out, err = s.Site.Preview(ctx, compiled.Plan); err != nil {
		return out, warnings, err
	}
	return out, warnings, nil
}

// planned compiles the bundle for a caller who may deploy it.
func (s *Server) planned(ctx context.Context, c access.Caller, b service.Bundle) (service.Compiled, error) {
	compiled, err := s.drafted(ctx, c, b)
	if err != nil {
		return compiled, err
	}
	for _, t := range compiled.Plan.Targets {
		err = errors.Join(err, c.Need(access.Deploy, compiled.Plan.Application, t.Name))
	}
	if err == nil {
		err = needContents(c, compiled.Plan)
	}
	if err != nil {
		return service.Compiled{}, err
	}
	return compiled, nil
}

// drafted compiles the bundle for a caller who may deploy something. The caller may not see it before it is known
// whether that includes the bundle.
func (s *Server) drafted(ctx context.Context, c access.Caller, b service.Bundle) (service.Compiled, error) {
	if err := c.Need(access.Deploy, "", ""); err != nil { // before anything is read
		return service.Compiled{}, err
	}
	return s.compile(ctx, b)
}
