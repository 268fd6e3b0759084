package shift

import (
	"context"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/traffic"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// isDivisible reports whether the Service can be divided. That is asked before there is a canary, and never on the way
// back. If ready pods of something else serve the Service too, dividing it between the versions of the Deployment would
// send them nothing. That is an error for a Service that the deployment brings. Another Service stays undivided.
func (d division) isDivisible(ctx context.Context) (bool, error) {
	service, err := d.read(ctx, "v1", "Service", d.Service)
	if err != nil {
		return false, err
	}
	selector := traffic.Selector(service)
	if len(selector) == 0 {
		return true, nil // pin returns the error
	}
	pods, err := d.pods(ctx, selector)
	if err != nil {
		return false, err
	}
	stable, err := d.read(ctx, "apps/v1", "Deployment", d.Stable)
	if err != nil {
		return false, err
	}
	canary := traffic.CanaryLabels(d.Division.Release, nil)
	hasCanary := slices.ContainsFunc(pods, func(p sluice.Object) bool { return traffic.Selects(canary, p) })
	others := slices.DeleteFunc(pods, func(p sluice.Object) bool { return traffic.Selects(selectorOf(stable), p) })
	ready := traffic.Ready(others, selector)
	switch {
	case len(ready) > 0 && !d.Declared:
		return false, nil
	case hasCanary:
		return true, nil
	case len(ready) > 0:
		return false, sluice.Errorf(sluice.Unsupported,
			"it goes to Pod/%s too, which is not of Deployment/%s and would get no traffic", ready[0], d.Stable).
			WithHint("let the Service select a label that only one of them has, or roll out straight to 100 %%")
	}
	return true, rolledOut(stable)
}

// rolledOut is Unavailable while another change of the Deployment is rolled out. Its newest ReplicaSet, to which the
// Services are narrowed, then has few of its pods.
func rolledOut(stable sluice.Object) error {
	want := stable.Number(1, "spec", "replicas")
	seen := stable.Number(0, "status", "observedGeneration") >= stable.Number(0, "metadata", "generation")
	updated, all := stable.Number(0, "status", "updatedReplicas"), stable.Number(0, "status", "replicas")
	if seen && updated >= want && all <= want {
		return nil
	}
	ref := stable.Ref()
	return sluice.Errorf(sluice.Unavailable, "another change of %s is still rolling out: %s", ref,
		manifest.Status(stable).Message).WithHint("deploy again when it has ended, or see why it waits: "+
		"kubectl rollout status --namespace %s deployment/%s", ref.Namespace, ref.Name)
}
