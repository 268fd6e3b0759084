package rights

import (
	"slices"
	"testing"

	"github.com/sluice-cd/sluice"
)

// Stork moves claims out of a cluster that Sluice otherwise only reads, and into one where volumes are kept.
func TestNeedsOfPortworx(t *testing.T) {
	p := &sluice.Plan{
		Targets: []sluice.PlannedTarget{{Name: "prod", Account: "east", Namespace: "shop"}, {Name: "staging",
			Account: "west", Namespace: "shop"}},
		Steps: []sluice.PlannedStep{{ID: "staging/before/0", Target: "staging", StepSpec: sluice.StepSpec{
			MigrateData: &sluice.MigrateData{Source: &sluice.Target{Account: "east", Namespace: "shop"},
				Spec: sluice.Dataset{Claims: []string{"orders"}, Workload: "StatefulSet/mongo", Mover: "portworx",
					Portworx: &sluice.Portworx{ClusterPair: "stage", Namespace: "portworx"}}}}}},
	}
	for account, test := range map[string]struct {
		target string
		want   []sluice.Right
		not    []sluice.Right
	}{
		"east": {"prod", []sluice.Right{
			{Verb: "create", Group: "stork.libopenstorage.org", Resource: "migrations", Namespace: "portworx",
				Feature: FeaturePortworx},
			{Verb: "list", Resource: "events", Namespace: "portworx", Feature: FeaturePortworx, Dispensable: true},
			{Verb: "patch", Resource: "persistentvolumeclaims", Namespace: "shop", Feature: FeatureApply},
		}, []sluice.Right{
			{Verb: "delete", Resource: "persistentvolumeclaims", Namespace: "shop", Feature: FeatureApply},
			{Verb: "patch", Group: "apps", Resource: "statefulsets", Namespace: "shop", Feature: FeatureApply},
		}},
		"west": {"staging", []sluice.Right{
			{Verb: "patch", Resource: "persistentvolumes", Feature: FeaturePortworxVolume},
			{Verb: "list", Group: "storage.k8s.io", Resource: "volumeattachments", Feature: FeaturePortworxVolume},
			{Verb: "delete", Resource: "persistentvolumeclaims", Namespace: "shop", Feature: FeatureApply},
		}, []sluice.Right{
			{Verb: "create", Group: "stork.libopenstorage.org", Resource: "migrations", Namespace: "portworx",
				Feature: FeaturePortworx},
		}},
	} {
		got := needed(p, test.target, unknown)
		for _, r := range test.want {
			if !slices.Contains(got, r) {
				t.Errorf("%+v is not needed in %s", r, account)
			}
		}
		for _, r := range test.not {
			if slices.Contains(got, r) {
				t.Errorf("%+v is needed in %s", r, account)
			}
		}
	}
}
