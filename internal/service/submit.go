package service

import (
	"context"
	"iter"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

// An Engine runs deployments, in this process or in another one.
type Engine interface {
	// Start begins a deployment. It returns a Conflict while another deployment of the application has not ended, and
	// Unavailable if the engine went away: the deployment may then have begun.
	Start(ctx context.Context, p *sluice.Plan, by sluice.Actor) (sluice.DeploymentID, error)
	// Resume continues the deployments that were interrupted.
	Resume(ctx context.Context) error
	// Watch yields a deployment's updates until it ends.
	Watch(ctx context.Context, id sluice.DeploymentID, after sluice.Seq) iter.Seq2[engine.Update, error]
}

// A Submission is a plan that somebody wants to deploy.
type Submission struct {
	Plan    *sluice.Plan
	By      sluice.Actor
	Enqueue bool                    // wait for the application's running deployment instead of failing with a Conflict
	Waits   func(sluice.Deployment) // called before it waits
}

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

// Submit begins a deployment. See [Engine.Start] for its errors.
func Submit(ctx context.Context, e Engine, log sluice.Log, s Submission) (sluice.DeploymentID, error) {
	for {
		id, err := e.Start(ctx, s.Plan, s.By)
		if sluice.ErrorCode(err) != sluice.Conflict || !s.Enqueue {
			return id, err
		}
		if err := awaitTurn(ctx, e, log, s); err != nil {
			return "", err
		}
	}
}

// awaitTurn returns when the application's running deployment has ended. If it was interrupted, it is resumed.
func awaitTurn(ctx context.Context, e Engine, log sluice.Log, s Submission) error {
	d, found, err := Unended(ctx, log, s.Plan.Application)
	if err != nil || !found {
		return err
	}
	if err := e.Resume(ctx); err != nil {
		return err
	}
	s.Waits(d)
	for _, err := range e.Watch(ctx, d.ID, 0) {
		if err != nil && sluice.ErrorCode(err) != sluice.Unavailable { // its engine may have ended with it
			return err
		}
	}
	return ctx.Err()
}

// Begun returns the deployment that a submission began although the engine went away before it answered, "" if there is
// none. since is when the plan was submitted.
func Begun(ctx context.Context, log sluice.Log, p *sluice.Plan, since time.Time) (sluice.DeploymentID, error) {
	d, found, err := Unended(ctx, log, p.Application)
	if err != nil || !found || d.StartedAt.Before(since) {
		return "", err
	}
	state, err := engine.Fold(d.ID, log.Read(ctx, d.ID, 0))
	if err != nil || state.Plan.Digest != p.Digest {
		return "", err
	}
	return d.ID, nil
}

// Unended returns the application's deployment that has not ended.
func Unended(ctx context.Context, log sluice.Log, application string) (d sluice.Deployment, found bool, err error) {
	list, err := log.Deployments(ctx, application)
	for _, each := range list {
		if IsRunning(each) {
			d, found = each, true
		}
	}
	return d, found, err
}
