// Package rollout holds the steps that change the objects and the traffic of a target: apply, setWeight, promote and
// prune.
//
// The path of one Deployment: apply looks at it in Check (apply_check.go) and brings its new version beside it, as a
// canary (apply.go); setWeight and promote move traffic and pods between the two tracks (tracks.go); and each of them
// undoes its own part from the snapshot that Check took (snapshot.go). StatefulSets and DaemonSets change pod by pod
// instead (set.go).
package rollout

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
	"github.com/sluice-cd/sluice/internal/step/delivery"
	"github.com/sluice-cd/sluice/internal/step/deps"
	"github.com/sluice-cd/sluice/internal/step/object"
	"github.com/sluice-cd/sluice/internal/step/ready"
	"github.com/sluice-cd/sluice/internal/step/sibling"
)

// A target is what a step of a rollout acts on.
type target struct {
	deps    deps.Deps
	sc      sluice.StepContext
	account sluice.Account
}

func newTarget(d deps.Deps, sc sluice.StepContext) (target, error) {
	a, err := d.TargetAccount(sc)
	return target{d, sc, a}, err
}

// application is whose objects the step writes, "" in a test without a plan.
func (t target) application() string {
	if t.sc.Plan == nil {
		return ""
	}
	return t.sc.Plan.Application
}

// declared returns the target's objects in the order in which they can be applied, with Secrets opened. Each workload's
// pod template names the content of its configuration, so that a change of configuration is a change of version.
func (t target) declared() ([]sluice.Object, error) {
	spec := sibling.Apply(t.sc)
	objects := make([]sluice.Object, 0, len(spec.Objects))
	for _, o := range manifest.Order(spec.Objects) {
		objects = append(objects, o.Clone())
	}
	if err := manifest.OpenSecrets(objects, t.deps.Sealer); err != nil {
		return nil, err
	}
	return objects, stampConfig(objects)
}

// desired returns the declared objects as they are applied: the pods of a Deployment are stamped with this deployment.
// Pods that do not change, as the snapshot says, keep their stamps.
func (t target) desired(snap snapshot) ([]sluice.Object, error) {
	objects, err := t.declared()
	for _, o := range object.OfKind(objects, "Deployment") {
		version := delivery.VersionOf(t.sc, o.Text("metadata", "name"))
		if slices.Contains(snap.Kept, o.Ref()) {
			was, _ := snap.find(o.Ref())
			version = delivery.StampedWith(was.Object)
			useVersions(o, was.Object, objects)
		}
		delivery.Stamp(o, version)
	}
	return objects, err
}

// newWaiter waits for the target's objects until the timeout, which counts from the given instant.
func (t target) newWaiter(from time.Time, timeout time.Duration) ready.Waiter {
	return t.deps.Waiter(t.sc, t.account, from.Add(cmp.Or(timeout, ready.DefaultTimeout)))
}

// atOnce is embedded by steps whose Start waits for everything that it did, and whose effect stays.
type atOnce struct{}

// Observe has nothing to wait for.
func (atOnce) Observe(_ context.Context, p sluice.Progress) (sluice.Progress, error) {
	p.State = sluice.Done
	return p, nil
}

// Finish keeps what Start did.
func (atOnce) Finish(context.Context, sluice.Progress) error { return nil }

// pick returns the objects that refs name.
func pick(objects []sluice.Object, refs []sluice.Ref) []sluice.Object {
	return slices.DeleteFunc(slices.Clone(objects), func(o sluice.Object) bool { return !slices.Contains(refs, o.Ref()) })
}

func sameNamespace(a, b sluice.Object) bool {
	return a.Text("metadata", "namespace") == b.Text("metadata", "namespace")
}

func contains(objects []sluice.Object, ref sluice.Ref) bool {
	return slices.ContainsFunc(objects, func(o sluice.Object) bool { return o.Ref() == ref })
}
