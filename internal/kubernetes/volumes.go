package kubernetes

import (
	"context"
	"time"

	"github.com/sluice-cd/sluice"
)

// Cut is Unsupported: no claim of a cluster has generations.
func (a *Account) Cut(_ context.Context, namespace string, _ []string, _ string, _ time.Duration) (sluice.Cut, error) {
	return sluice.Cut{}, a.noVolumes(namespace)
}

// Stage is Unsupported: no claim of a cluster has generations.
func (a *Account) Stage(_ context.Context, namespace, _, _ string) (sluice.Volume, error) {
	return sluice.Volume{}, a.noVolumes(namespace)
}

// Use is Unsupported: no claim of a cluster has generations.
func (a *Account) Use(_ context.Context, namespace, _, _ string) (string, error) {
	return "", a.noVolumes(namespace)
}

// Discard has nothing to discard.
func (a *Account) Discard(context.Context, string, string, string) error { return nil }

func (a *Account) noVolumes(namespace string) error {
	return sluice.Errorf(sluice.Unsupported, "the volumes of namespace %s in account %s cannot be copied: "+
		"datasets are moved on accounts of the type local only", namespace, a.client.Name()).
		WithHint("take the steps checkpointData, migrateData and restoreData out for this target, " +
			"or let a webhook move its data")
}
