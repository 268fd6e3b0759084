package step

import (
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// applySpec returns what the step's target applies; false where it applies nothing.
func applySpec(sc sluice.StepContext) (sluice.Apply, bool) {
	if sc.Plan == nil {
		return sluice.Apply{}, false
	}
	for _, s := range sc.Plan.Steps {
		if s.Target == sc.Target.Name && s.Apply != nil {
			return *s.Apply, true
		}
	}
	return sluice.Apply{}, false
}

// targetObjects returns the target's objects as they are to be, in the order in which they can be applied, with
// Secrets opened. Each workload's pod template names the content of its configuration, so that a change of
// configuration is a change of version, and the delivery that they belong to.
func targetObjects(d Deps, sc sluice.StepContext) ([]sluice.Object, error) {
	objects, err := declaredObjects(d, sc)
	markAll(objects, sc)
	return objects, err
}

// declaredObjects are the target's objects without the delivery that they belong to.
func declaredObjects(d Deps, sc sluice.StepContext) ([]sluice.Object, error) {
	spec, _ := applySpec(sc)
	objects := make([]sluice.Object, 0, len(spec.Objects))
	for _, o := range manifest.Order(spec.Objects) {
		objects = append(objects, o.Clone())
	}
	if err := manifest.OpenSecrets(objects, d.Sealer); err != nil {
		return nil, err
	}
	return objects, stampConfig(objects)
}

func ofKind(objects []sluice.Object, kinds ...string) []sluice.Object {
	var found []sluice.Object
	for _, o := range objects {
		if slices.Contains(kinds, o.Text("kind")) {
			found = append(found, o)
		}
	}
	return found
}

func sameNamespace(a, b sluice.Object) bool {
	return a.Text("metadata", "namespace") == b.Text("metadata", "namespace")
}
