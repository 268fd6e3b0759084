package step

import (
	"context"
	"slices"
	"strconv"

	"github.com/sluice-cd/sluice"
)

// madeBy names, on an object that stands only while a deployment runs, the deployment it belongs to.
const madeBy = "sluice-cd.github.io/deployment"

func canaryName(name string) string { return name + "-" + sluice.TrackCanary }

func canaryRef(stable sluice.Ref) sluice.Ref {
	stable.Name = canaryName(stable.Name)
	return stable
}

func canaryRefs(stable []sluice.Ref) []sluice.Ref {
	refs := slices.Clone(stable)
	for i, ref := range refs {
		refs[i] = canaryRef(ref)
	}
	return refs
}

// A beside is a Deployment as it is declared, and the canary that stands beside it.
type beside struct{ declared, canary sluice.Object }

// allStand is an error where a canary that the deployment brought to the target is gone: the version that is left is the
// old one, whatever share of the traffic it gets.
func allStand(sc sluice.StepContext, standing []beside) error {
	if sc.Plan == nil {
		return nil
	}
	for _, s := range sc.Plan.Steps {
		if s.Target != sc.Target.Name {
			continue
		}
		for _, ref := range sc.Results[s.ID].Canaries {
			if !slices.ContainsFunc(standing, func(b beside) bool { return b.canary.Ref() == ref }) {
				return sluice.Errorf(sluice.Failed, "%s, the canary, is gone: it was deleted from outside", ref).
					WithHint("deploy again; whoever deletes objects that are annotated with %s interrupts a rollout", madeBy)
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
	c.Set(canaryName(version.Text("metadata", "name")), "metadata", "name")
	if ns := version.Text("metadata", "namespace"); ns != "" {
		c.Set(ns, "metadata", "namespace")
	}
	c.Set(string(id), "metadata", "annotations", madeBy)
	c.Set(sluice.TrackCanary, "metadata", "labels", sluice.TrackLabel)
	c.Set(sluice.TrackCanary, "spec", "selector", "matchLabels", sluice.TrackLabel)
	c.Set(sluice.TrackCanary, "spec", "template", "metadata", "labels", sluice.TrackLabel)
	c.Set(strconv.Itoa(stable.Number(1, "spec", "replicas")), "metadata", "annotations", sizedAt)
	c.Set(int64(replicas), "spec", "replicas")
	return c
}

// canaries returns the Deployments of the target that have a canary of the deployment standing beside them.
func canaries(ctx context.Context, a sluice.Account, id sluice.DeploymentID, objects []sluice.Object) ([]beside, error) {
	return withCanary(ctx, a, objects, func(of sluice.DeploymentID) bool { return of == id })
}

// withCanary returns those of the Deployments that have a canary of such a deployment beside them.
func withCanary(ctx context.Context, a sluice.Account, objects []sluice.Object, is func(sluice.DeploymentID) bool) ([]beside, error) {
	var list []beside
	for _, d := range ofKind(objects, "Deployment") {
		canary, err := get(ctx, a, canaryRef(d.Ref()))
		if err != nil {
			return nil, err
		}
		if canary == nil {
			continue
		}
		if of := canary.Text("metadata", "annotations", madeBy); of != "" && is(sluice.DeploymentID(of)) {
			list = append(list, beside{d, canary})
		}
	}
	return list, nil
}

// lasting leaves out canaries that are being deleted: no traffic can be sent there any more.
func lasting(list []beside) []beside {
	return slices.DeleteFunc(slices.Clone(list), func(b beside) bool { return b.canary.Text("metadata", "deletionTimestamp") != "" })
}

// declared are the Deployments themselves.
func declared(list []beside) []sluice.Object {
	var objects []sluice.Object
	for _, b := range list {
		objects = append(objects, b.declared)
	}
	return objects
}

// firstWeight returns the first weight that the plan gives the target's new version, 100 where it names none.
func firstWeight(sc sluice.StepContext) int {
	if sc.Plan == nil {
		return 100
	}
	for _, s := range sc.Plan.Steps {
		if s.Target == sc.Target.Name && s.SetWeight != nil && s.SetWeight.Weight > 0 && s.Phase != sluice.PhaseOnRollback {
			return s.SetWeight.Weight
		}
	}
	return 100
}

// weightBefore returns the weight that the last setWeight before the step left, 0 if there was none. One that is
// about some Services alone says nothing about the others.
func weightBefore(sc sluice.StepContext) int {
	weight := 0
	if sc.Plan == nil {
		return weight
	}
	for _, s := range sc.Plan.Steps {
		if s.ID == sc.Step.ID {
			break
		}
		if s.Target == sc.Target.Name && s.SetWeight != nil && len(s.SetWeight.Services) == 0 && s.Phase != sluice.PhaseOnRollback {
			weight = s.SetWeight.Weight
		}
	}
	return weight
}

// deferred returns the ConfigMaps and Secrets that nothing but the given Deployments uses: the stable pods
// keep the old ones until promotion.
func deferred(objects []sluice.Object, beside []sluice.Object) []sluice.Object {
	var list []sluice.Object
	for _, c := range ofKind(objects, "ConfigMap", "Secret") {
		used := false
		others := false
		for _, w := range ofKind(objects, append(slices.Clone(podWorkloads), "Job", "CronJob", "Pod")...) {
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
	c.Set(string(id), "metadata", "annotations", madeBy)
	return c, nil
}
