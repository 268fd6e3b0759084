package kubernetes

import (
	"context"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/traffic"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// begins reports whether the Service can be divided, which is asked before there is a canary: never on the way back. One
// that the deployment brings, and that ready pods of something else serve too, is an error: divided between the two
// versions of the Deployment, it would send the others nothing. One that just stands there is left undivided for them.
func (a *Account) begins(ctx context.Context, d sluice.Division) (bool, error) {
	at, err := a.locate(ctx, "Service", d.Namespace, d.Service, "v1")
	if err != nil {
		return false, err
	}
	service, err := a.read(ctx, at.resource, at.ref)
	if err != nil {
		return false, err
	}
	selector := traffic.Selector(service)
	if len(selector) == 0 {
		return true, nil // pin tells what is wrong with it
	}
	pods, err := a.selected(ctx, "v1", "pods", d.Namespace, selector)
	if err != nil {
		return false, err
	}
	if at, err = a.locate(ctx, "Deployment", d.Namespace, d.Stable, "apps/v1"); err != nil {
		return false, err
	}
	stable, err := a.read(ctx, at.resource, at.ref)
	if err != nil {
		return false, err
	}
	under := slices.ContainsFunc(pods, isCanary)
	others := traffic.Ready(slices.DeleteFunc(pods, func(p sluice.Object) bool { return traffic.Selects(selectorOf(stable), p) }), selector)
	switch {
	case len(others) > 0 && !d.Declared:
		return false, nil
	case under:
		return true, nil
	case len(others) > 0:
		return false, sluice.Errorf(sluice.Unsupported, "it goes to Pod/%s too, which is not of Deployment/%s and would get none of it", others[0], d.Stable).
			WithHint("let the Service select a label that only one of them has, or roll out straight to 100 %%")
	}
	return true, rolledOut(stable)
}

// rolledOut is Unavailable while somebody's change of the Deployment is on its way: its newest replica set, to which Services
// are narrowed, has few of its pods.
func rolledOut(stable sluice.Object) error {
	want := stable.Number(1, "spec", "replicas")
	seen := stable.Number(0, "status", "observedGeneration") >= stable.Number(0, "metadata", "generation")
	if seen && stable.Number(0, "status", "updatedReplicas") >= want && stable.Number(0, "status", "replicas") <= want {
		return nil
	}
	return sluice.Errorf(sluice.Unavailable, "somebody's change of %s is still being rolled out: %s", stable.Ref(), manifest.Status(stable).Message).
		WithHint("deploy again when it is through, or see what keeps it: kubectl rollout status --namespace %s deployment/%s", stable.Ref().Namespace, stable.Ref().Name)
}

func isCanary(pod sluice.Object) bool {
	return pod.Text("metadata", "labels", sluice.TrackLabel) == sluice.TrackCanary
}
