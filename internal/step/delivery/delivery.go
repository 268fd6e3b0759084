// Package delivery tells which objects and pods belong to a deployment, by what Sluice writes on them: the objects that
// stand only while it runs, its canaries, and the version that its pods are stamped with.
package delivery

import (
	"context"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/object"
)

// MadeBy names, on an object that stands only while a deployment runs, the deployment it belongs to.
const MadeBy = "sluice-cd.github.io/deployment"

// Delete deletes an object that stands only while the deployment runs, if it belongs to the deployment.
func Delete(ctx context.Context, a sluice.Account, ref sluice.Ref, id sluice.DeploymentID) error {
	o, err := object.Get(ctx, a, ref)
	if err != nil || o == nil || o.Text("metadata", "annotations", MadeBy) != string(id) {
		return err
	}
	return object.Delete(ctx, a, ref)
}

// CanaryOf returns the name of the canary that stands beside the Deployment.
func CanaryOf(stable sluice.Ref) sluice.Ref {
	stable.Name += "-" + sluice.TrackCanary
	return stable
}

// A Canary is the Deployment that runs the new version beside the stable one.
type Canary struct {
	Of     sluice.Object // the stable Deployment, as it is declared
	Object sluice.Object // the canary, as it is now
}

// Canaries returns the canaries that stand beside Deployments among the objects, if their deployment is wanted.
func Canaries(
	ctx context.Context, a sluice.Account, objects []sluice.Object, wanted func(sluice.DeploymentID) bool,
) ([]Canary, error) {
	var list []Canary
	for _, d := range object.OfKind(objects, "Deployment") {
		canary, err := object.Get(ctx, a, CanaryOf(d.Ref()))
		if err != nil {
			return nil, err
		}
		if canary == nil {
			continue
		}
		if id := canary.Text("metadata", "annotations", MadeBy); id != "" && wanted(sluice.DeploymentID(id)) {
			list = append(list, Canary{d, canary})
		}
	}
	return list, nil
}

// Of wants the canaries of this deployment.
func Of(id sluice.DeploymentID) func(sluice.DeploymentID) bool {
	return func(other sluice.DeploymentID) bool { return other == id }
}

// Others wants the canaries of all other deployments.
func Others(id sluice.DeploymentID) func(sluice.DeploymentID) bool {
	return func(other sluice.DeploymentID) bool { return other != id }
}
