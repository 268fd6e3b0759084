package rollout

import (
	"slices"
	"strconv"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/delivery"
	"github.com/sluice-cd/sluice/internal/step/object"
)

func canaryRefs(stable []sluice.Ref) []sluice.Ref {
	refs := slices.Clone(stable)
	for i, ref := range refs {
		refs[i] = delivery.CanaryOf(ref)
	}
	return refs
}

// A beside is a Deployment as it is declared, and the canary that stands beside it.
type beside struct{ declared, canary sluice.Object }

// allStand is an error where a canary that the deployment brought to the target is gone: the version that is left is the
// old one, whatever share of the traffic it gets.
func allStand(sc sluice.StepContext, standing []delivery.Pair) error {
	if sc.Plan == nil {
		return nil
	}
	for _, s := range sc.Plan.Steps {
		if s.Target != sc.Target.Name {
			continue
		}
		for _, ref := range sc.Results[s.ID].Canaries {
			if !slices.ContainsFunc(standing, func(b delivery.Pair) bool { return b.Canary.Ref() == ref }) {
				return sluice.Errorf(sluice.Failed, "%s, the canary, is gone: it was deleted from outside", ref).
					WithHint("deploy again; whoever deletes objects that are annotated with %s interrupts a rollout", delivery.MadeBy)
			}
		}
	}
	return nil
}

// canaryOf returns the Deployment that runs the pods of version beside stable, with so many of them.
//
// Its pods carry all labels of the stable ones and the track, so the Services select both. The stable
// Deployment's selector matches them too; a controller takes over only what has no owner, and these pods'
// replica sets belong to the canary from the moment they are made.
func canaryOf(version, stable sluice.Object, replicas int, id sluice.DeploymentID) sluice.Object {
	c := sluice.Object{"apiVersion": version["apiVersion"], "kind": version["kind"], "spec": version.Clone()["spec"]}
	c.Set(delivery.CanaryOf(version.Ref()).Name, "metadata", "name")
	if ns := version.Text("metadata", "namespace"); ns != "" {
		c.Set(ns, "metadata", "namespace")
	}
	c.Set(string(id), "metadata", "annotations", delivery.MadeBy)
	c.Set(sluice.TrackCanary, "metadata", "labels", sluice.TrackLabel)
	c.Set(sluice.TrackCanary, "spec", "selector", "matchLabels", sluice.TrackLabel)
	c.Set(sluice.TrackCanary, "spec", "template", "metadata", "labels", sluice.TrackLabel)
	c.Set(strconv.Itoa(stable.Number(1, "spec", "replicas")), "metadata", "annotations", sizedAt)
	c.Set(int64(replicas), "spec", "replicas")
	return c
}

// lasting leaves out canaries that are being deleted: no traffic can be sent there any more.
func lasting(list []delivery.Pair) []delivery.Pair {
	return slices.DeleteFunc(slices.Clone(list), func(b delivery.Pair) bool { return b.Canary.Text("metadata", "deletionTimestamp") != "" })
}

// declared are the Deployments themselves.
func declared(list []delivery.Pair) []sluice.Object {
	var objects []sluice.Object
	for _, b := range list {
		objects = append(objects, b.Declared)
	}
	return objects
}

// deferred returns the ConfigMaps and Secrets that nothing but the given Deployments uses: the stable pods
// keep the old ones until promotion.
func deferred(objects []sluice.Object, beside []sluice.Object) []sluice.Object {
	var list []sluice.Object
	for _, c := range object.OfKind(objects, "ConfigMap", "Secret") {
		used := false
		others := false
		for _, w := range object.OfKind(objects, append(slices.Clone(podWorkloads), "Job", "CronJob", "Pod")...) {
			if !uses(w, c) {
				continue
			}
			used = true
			others = others || !slices.ContainsFunc(beside, func(d sluice.Object) bool { return d.Ref() == w.Ref() })
		}
		if used && !others {
			list = append(list, c)
		}
	}
	return list
}

// versionOf returns a copy of the ConfigMap or Secret under a name of its content.
func versionOf(config sluice.Object, id sluice.DeploymentID) (sluice.Object, error) {
	sum, err := digest(config)
	if err != nil {
		return nil, err
	}
	c := config.Clone()
	c["metadata"] = map[string]any{}
	c.Set(config.Text("metadata", "name")+"-"+sum, "metadata", "name")
	if ns := config.Text("metadata", "namespace"); ns != "" {
		c.Set(ns, "metadata", "namespace")
	}
	c.Set(string(id), "metadata", "annotations", delivery.MadeBy)
	return c, nil
}
