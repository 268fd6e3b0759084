package service

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/history"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// checkForeign returns a Conflict if the plan would change objects that other applications run on this machine, unless
// it may take them over. Clusters record themselves who applied an object.
func checkForeign(ctx context.Context, log *history.Index, p *sluice.Plan, local func(account string) bool) error {
	targets := slices.DeleteFunc(slices.Clone(p.Targets), func(t sluice.PlannedTarget) bool { return !local(t.Account) })
	if len(targets) == 0 {
		return nil
	}
	of := map[string][]sluice.Ref{}
	for _, t := range targets {
		of[t.Account] = append(of[t.Account], refsOf(objectsOf(p, t.Name))...)
	}
	running, err := foreign(ctx, log, p.Application, of)
	if err != nil {
		return err
	}
	var found []string
	var owners sluice.Owners
	for _, t := range targets {
		for _, o := range objectsOf(p, t.Name) {
			for _, r := range running {
				owner := sluice.ManagerOf(r.Plan.Application)
				if !slices.Contains(p.TakeOver, owner) && changes(r, t.Account, o) {
					found = append(found, fmt.Sprintf("%s belongs to application %s, whose deployment %s brought it",
						o.Ref(), r.Plan.Application, r.Deployment))
					owners = append(owners, owner)
				}
			}
		}
	}
	if len(found) == 0 {
		return nil
	}
	slices.Sort(owners)
	return sluice.Errorf(sluice.Conflict, "%s", strings.Join(found, "; ")).
		WithHint("leave it out of this application, or take it over: %s", slices.Compact(owners).Flag())
}

// foreign returns what other applications run that have one of the objects, which are by account, and what their
// deployments bring that have not ended.
func foreign(
	ctx context.Context, log *history.Index, application string, objects map[string][]sluice.Ref,
) (all []sluice.Release, err error) {
	var others []string
	for account, refs := range objects {
		users, err := log.Users(ctx, account, refs)
		if err != nil {
			return nil, err
		}
		others = append(others, users...)
	}
	slices.Sort(others)
	others = slices.DeleteFunc(slices.Compact(others), func(name string) bool { return name == application })
	if all, err = history.Running(ctx, log, false, others); err != nil {
		return nil, err
	}
	for _, name := range others {
		coming, err := underway(ctx, log, name)
		if err != nil {
			return nil, err
		}
		all = append(all, coming...)
	}
	return all, nil
}

// underway returns what the deployments of the application apply that have not ended.
func underway(ctx context.Context, log sluice.Log, application string) ([]sluice.Release, error) {
	list, err := log.Deployments(ctx, application)
	if err != nil {
		return nil, err
	}
	var all []sluice.Release
	for _, d := range slices.DeleteFunc(slices.Clone(list), func(d sluice.Deployment) bool { return !IsRunning(d) }) {
		s, err := engine.Fold(d.ID, log.Read(ctx, d.ID, 0))
		if err != nil {
			return nil, err
		}
		for _, id := range s.Started {
			if a := s.Steps[id].Plan; a.Apply != nil && s.Plan.Rehearsal == nil {
				all = append(all, sluice.Release{
					Deployment: d.ID, Target: a.Target, Plan: s.Plan, Objects: refsOf(a.Apply.Objects)})
			}
		}
	}
	return all, nil
}

func refsOf(objects []sluice.Object) []sluice.Ref {
	refs := make([]sluice.Ref, 0, len(objects))
	for _, o := range objects {
		refs = append(refs, o.Ref())
	}
	return refs
}

// changes reports whether the object of the account is one of the release, and has other values.
func changes(r sluice.Release, account string, o sluice.Object) bool {
	differs := func(was sluice.Object) bool { return was.Ref().Same(o.Ref()) && manifest.Diff(was, o) != "" }
	return history.Has(r, account, o.Ref()) && slices.ContainsFunc(objectsOf(r.Plan, r.Target), differs)
}

// objectsOf returns what the plan applies to the target.
func objectsOf(p *sluice.Plan, target string) []sluice.Object {
	for _, s := range p.Steps {
		if s.Target == target && s.Apply != nil {
			return s.Apply.Objects
		}
	}
	return nil
}
