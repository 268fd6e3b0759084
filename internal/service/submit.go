package service

import (
	"context"
	"time"

	"github.com/sluice-cd/sluice"
)

// Irreversible lists what the plan does that cannot be undone, a line each. A person has to agree to it before the plan
// is submitted.
func Irreversible(p *sluice.Plan) []string {
	var list []string
	for _, t := range p.Targets {
		for _, sentence := range t.Irreversible {
			list = append(list, t.Name+": "+sentence)
		}
	}
	return list
}

// Begun returns the deployment that a submission began although the engine went away before it answered, "" if there is
// none. since is when the plan was submitted.
func Begun(ctx context.Context, log sluice.Log, p *sluice.Plan, since time.Time) (sluice.DeploymentID, error) {
	list, err := log.Deployments(ctx, p.Application)
	if err != nil {
		return "", err
	}
	for _, d := range list {
		if d.StartedAt.Before(since) {
			break
		}
		made, err := planOf(ctx, log, d.ID)
		if err != nil {
			return "", err
		}
		if !hasEnded(d) && made.Digest == p.Digest {
			return d.ID, nil
		}
	}
	return "", nil
}

// Unended returns the application's deployment that runs, otherwise the one that is queued.
func Unended(ctx context.Context, log sluice.Log, application string) (d sluice.Deployment, found bool, err error) {
	list, err := log.Deployments(ctx, application)
	for _, each := range list { // the one that runs is the older one
		if !hasEnded(each) {
			d, found = each, true
		}
	}
	return d, found, err
}

// CheckOvertaken returns a Conflict if the newest deployment of the plan was overtaken. To resume it would bring an
// older release over a newer one.
func CheckOvertaken(ctx context.Context, log sluice.Log, p *sluice.Plan) error {
	list, err := log.Deployments(ctx, p.Application)
	if err != nil {
		return err
	}
	for _, d := range list {
		made, err := planOf(ctx, log, d.ID)
		if err != nil {
			return err
		}
		if made.Digest != p.Digest || (made.Rehearsal != nil) != (p.Rehearsal != nil) {
			continue
		}
		if d.Outcome != sluice.StatusOvertaken {
			return nil
		}
		return sluice.Errorf(sluice.Conflict, "deployment %s of this file was overtaken, so it is not resumed", d.ID).
			WithHint("see by which with: sluice status %s; to deploy the file all the same, leave out --resume", d.ID)
	}
	return nil
}

// planOf reads the deployment up to the event that has its plan, which is the first one.
func planOf(ctx context.Context, log sluice.Log, id sluice.DeploymentID) (*sluice.Plan, error) {
	for e, err := range log.Read(ctx, id, 0) {
		return e.Plan, err
	}
	return nil, sluice.Errorf(sluice.Internal, "deployment %s has no events", id)
}
