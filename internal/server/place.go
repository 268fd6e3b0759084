package server

import (
	"context"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
)

// needDeploy refuses a plan that the caller may not deploy, and records in the audit what was decided.
func (s *Server) needDeploy(ctx context.Context, c access.Caller, e sluice.AuditEntry, p *sluice.Plan) error {
	isMeant := func(t sluice.PlannedTarget) bool { return c.May(access.Deploy, p.Application, t.Name) }
	if denied := needContents(c, p); denied != nil && all(p.Targets, isMeant) {
		return s.record(ctx, c, e, denied)
	}
	return s.needTargets(ctx, c, e, targetsOf(p)) // says which target is not meant
}

func all(targets []sluice.PlannedTarget, is func(sluice.PlannedTarget) bool) bool {
	return !slices.ContainsFunc(targets, func(t sluice.PlannedTarget) bool { return !is(t) })
}

// needPlaces refuses a plan whose targets are in places where the caller may not deploy: a deploy file may give any
// account and namespace to any name of a target.
func needPlaces(c access.Caller, p *sluice.Plan) error {
	for _, t := range p.Targets {
		if err := c.NeedPlaces(p.Application, t.Name, placesOf(p, t)); err != nil {
			return err
		}
	}
	return nil
}

// placesOf lists where the target is, where its objects are, and where its data comes from.
func placesOf(p *sluice.Plan, t sluice.PlannedTarget) []string {
	places := []string{access.Place(t.Account, t.Namespace)}
	for _, s := range p.Steps {
		if s.Target != t.Name {
			continue
		}
		if s.Apply != nil {
			for _, o := range s.Apply.Objects {
				places = append(places, placeOf(t.Account, o))
			}
		}
		if s.RunJob != nil && s.RunJob.Job != nil {
			places = append(places, placeOf(t.Account, s.RunJob.Job))
		}
		if s.WaitFor != nil && s.WaitFor.Namespace != "" {
			places = append(places, access.Place(t.Account, s.WaitFor.Namespace))
		}
		if s.MigrateData != nil && s.MigrateData.Source != nil {
			places = append(places, access.Place(s.MigrateData.Source.Account, s.MigrateData.Source.Namespace))
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(places)))
}

// placeOf is where an object is. A Namespace is in itself.
func placeOf(account string, o sluice.Object) string {
	ref := o.Ref()
	if ref.Kind == "Namespace" {
		return access.Place(account, ref.Name)
	}
	return access.Place(account, ref.Namespace)
}
