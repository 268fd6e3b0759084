package rollout

import (
	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
	"github.com/sluice-cd/sluice/internal/step/delivery"
	"github.com/sluice-cd/sluice/internal/step/deps"
	"github.com/sluice-cd/sluice/internal/step/object"
	"github.com/sluice-cd/sluice/internal/step/sibling"
)

// targetObjects returns the target's objects as they are to be, in the order in which they can be applied, with
// Secrets opened. Each workload's pod template names the content of its configuration, so that a change of
// configuration is a change of version, and the delivery that they belong to.
func targetObjects(d deps.Deps, sc sluice.StepContext) ([]sluice.Object, error) {
	objects, err := declaredObjects(d, sc)
	for _, o := range object.OfKind(objects, "Deployment") {
		delivery.Stamp(o, delivery.VersionOf(sc, o.Text("metadata", "name")))
	}
	return objects, err
}

// declaredObjects are the target's objects without the delivery that they belong to.
func declaredObjects(d deps.Deps, sc sluice.StepContext) ([]sluice.Object, error) {
	spec := sibling.Apply(sc)
	objects := make([]sluice.Object, 0, len(spec.Objects))
	for _, o := range manifest.Order(spec.Objects) {
		objects = append(objects, o.Clone())
	}
	if err := manifest.OpenSecrets(objects, d.Sealer); err != nil {
		return nil, err
	}
	return objects, stampConfig(objects)
}

func sameNamespace(a, b sluice.Object) bool {
	return a.Text("metadata", "namespace") == b.Text("metadata", "namespace")
}
