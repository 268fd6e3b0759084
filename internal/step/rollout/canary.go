package rollout

import (
	"slices"
	"strconv"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/delivery"
	"github.com/sluice-cd/sluice/internal/step/sibling"
)

// canaryOf returns the Deployment that runs the pods of version beside stable, with so many of them.
//
// Its pods carry all labels of the stable ones and the track, so the Services select both. The stable
// Deployment's selector matches them too; a controller takes over only what has no owner, and these pods'
// replica sets belong to the canary from the moment they are made.
func canaryOf(version, stable sluice.Object, replicas int, id sluice.DeploymentID) sluice.Object {
	c := sluice.Object{"apiVersion": version["apiVersion"], "kind": version["kind"], "spec": version.Clone()["spec"]}
	ref := delivery.CanaryOf(version.Ref())
	c.Set(ref.Name, "metadata", "name")
	if ref.Namespace != "" {
		c.Set(ref.Namespace, "metadata", "namespace")
	}
	c.Set(string(id), "metadata", "annotations", delivery.MadeBy)
	c.Set(sluice.TrackCanary, "metadata", "labels", sluice.TrackLabel)
	c.Set(sluice.TrackCanary, "spec", "selector", "matchLabels", sluice.TrackLabel)
	c.Set(sluice.TrackCanary, "spec", "template", "metadata", "labels", sluice.TrackLabel)
	c.Set(strconv.Itoa(stable.Number(1, "spec", "replicas")), "metadata", "annotations", sizedAt)
	c.Set(int64(replicas), "spec", "replicas")
	return c
}

// allStand is an error if a canary that the deployment brought to the target is gone: the version that is left is the
// old one, whatever share of the traffic it gets.
func allStand(sc sluice.StepContext, standing []delivery.Canary) error {
	for _, ref := range sibling.Canaries(sc) {
		if !slices.ContainsFunc(standing, func(c delivery.Canary) bool { return c.Object.Ref() == ref }) {
			return sluice.Errorf(sluice.Failed, "%s, the canary, is gone: it was deleted from outside", ref).
				WithHint("deploy again; whoever deletes objects that are annotated with %s interrupts a rollout", delivery.MadeBy)
		}
	}
	return nil
}

// lasting leaves out canaries that are being deleted: no traffic can be sent there any more.
func lasting(list []delivery.Canary) []delivery.Canary {
	return slices.DeleteFunc(slices.Clone(list), func(c delivery.Canary) bool {
		return c.Object.Text("metadata", "deletionTimestamp") != ""
	})
}

// declared are the Deployments that the canaries stand beside.
func declared(list []delivery.Canary) []sluice.Object {
	var objects []sluice.Object
	for _, c := range list {
		objects = append(objects, c.Of)
	}
	return objects
}
