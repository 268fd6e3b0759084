package server

import (
	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/service"
)

// needContents refuses a plan with places, secrets or metric providers that the caller may not use: a deploy file may
// name any of them. A rehearsal is no exception, though it calls nobody.
func needContents(c access.Caller, p *sluice.Plan) error {
	if err := needPlaces(c, p); err != nil {
		return err
	}
	for _, t := range p.Targets {
		uses, err := service.UsesOf(p, t.Name)
		if err != nil {
			return err
		}
		if err := c.NeedUses(p.Application, t.Name, uses); err != nil {
			return err
		}
	}
	return nil
}
