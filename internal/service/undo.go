package service

import (
	"context"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

// FailedUndos returns the deployments that left something behind and can still be undone, newest first. Once a later
// deployment of the application has begun, nothing is undone under it.
func FailedUndos(ctx context.Context, log sluice.Log, application string) ([]sluice.DeploymentID, error) {
	list, err := log.Deployments(ctx, application)
	if err != nil {
		return nil, err
	}
	var found []sluice.DeploymentID
	changed := map[string]bool{} // applications
	for _, d := range list {
		if changed[d.Application] {
			continue
		}
		s, err := engine.Fold(d.ID, log.Read(ctx, d.ID, 0))
		if err != nil {
			return nil, err
		}
		if s.CanReopen() {
			found = append(found, d.ID)
		}
		changed[d.Application] = len(s.Started) > 0 && s.Plan.Rehearsal == nil
	}
	return found, nil
}
