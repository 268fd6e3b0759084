package step

import (
	"context"
	"time"

	"github.com/sluice-cd/sluice"
)

// noVolumes stands for the volumes of an account that has none. It holds the name of the account.
type noVolumes struct{ account string }

func (v noVolumes) unsupported(namespace string) error {
	return sluice.Errorf(sluice.Unsupported, "the volumes of namespace %s in account %s cannot be copied: "+
		"datasets are moved on accounts of the type local only", namespace, v.account).
		WithHint("take the steps checkpointData, migrateData and restoreData out for this target, " +
			"or let a webhook move its data")
}

// Cut is Unsupported.
func (v noVolumes) Cut(_ context.Context, ns string, _ []string, _ string, _ time.Duration) (sluice.Cut, error) {
	return sluice.Cut{}, v.unsupported(ns)
}

// Stage is Unsupported.
func (v noVolumes) Stage(_ context.Context, namespace, _, _ string) (sluice.Volume, error) {
	return sluice.Volume{}, v.unsupported(namespace)
}

// Use is Unsupported.
func (v noVolumes) Use(_ context.Context, namespace, _, _ string) (string, error) {
	return "", v.unsupported(namespace)
}

// Discard has nothing to discard.
func (noVolumes) Discard(context.Context, string, string, string) error { return nil }
