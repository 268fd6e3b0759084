package service

import (
	"context"
	"slices"

	"github.com/sluice-cd/sluice"
)

// PlanRetry returns the deployment that arg names, otherwise the latest one, and its plan to deploy again. It changes
// nothing. NotFound: there is no such deployment; Conflict: it has not ended, it succeeded, its undo failed, or a newer
// deployment of the application has run since, so that its plan may be out of date.
func PlanRetry(ctx context.Context, store sluice.Store, arg string) (sluice.Deployment, *sluice.Plan, error) {
	list, err := store.Deployments(ctx, "")
	if err != nil {
		return sluice.Deployment{}, nil, err
	}
	d, err := Find(list, arg, func(d sluice.Deployment) bool { return d.ID == list[0].ID })
	if err != nil {
		return d, nil, err
	}
	failed, err := FailedUndos(ctx, store, d.Application)
	if err != nil {
		return d, nil, err
	}
	if err := retryable(list, failed, d); err != nil {
		return d, nil, err
	}
	p, err := planOf(ctx, store, d.ID)
	if err != nil {
		return d, nil, err
	}
	again := *p
	again.Replace = "" // what was to be replaced has been
	return d, &again, nil
}

// retryable refuses a deployment that cannot simply run again.
func retryable(list []sluice.Deployment, failed []sluice.DeploymentID, d sluice.Deployment) error {
	switch {
	case !hasEnded(d):
		return sluice.Errorf(sluice.Conflict, "deployment %s has not ended", d.ID).
			WithHint("watch it with: sluice watch %s; continue it if it is interrupted: sluice run --resume", d.ID)
	case d.Outcome == sluice.StatusSucceeded:
		return sluice.Errorf(sluice.Conflict, "deployment %s succeeded; there is nothing to retry", d.ID).
			WithHint("to deploy its file again, type: sluice run -f FILE")
	case slices.Contains(failed, d.ID):
		return sluice.Errorf(sluice.Conflict, "the undo of deployment %s failed, so what it left is still there", d.ID).
			WithHint("go on with the undo first: sluice run --resume")
	}
	for _, other := range list { // the newest is first
		if other.ID == d.ID {
			return nil
		}
		if other.Application == d.Application && other.Outcome != sluice.StatusOvertaken {
			return sluice.Errorf(sluice.Conflict, "deployment %s of %s is newer than %s", other.ID, d.Application, d.ID).
				WithHint("to deploy the older version all the same, deploy its file: sluice run -f FILE")
		}
	}
	return nil
}
