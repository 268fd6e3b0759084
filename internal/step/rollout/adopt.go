package rollout

import (
	"context"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/delivery"
	"github.com/sluice-cd/sluice/internal/step/object"
	"github.com/sluice-cd/sluice/internal/step/ready"
)

// At promotion the stable Deployment adopts the pods of its canary, so that every pod of a release starts once. It
// gets the new template while it is paused; then its controller starts nothing. When the canary is deleted without its
// replica set, the controller takes that one as the Deployment's own new version, because the templates are equal, and
// ends the old one.

// An adoption is that of one canary's pods.
type adoption struct {
	tracks
	declared       sluice.Object // the stable Deployment
	stable, canary sluice.Object // as they are at first; nil: it does not exist
	isPaused       bool          // by somebody else, so it stays paused
}

// adoptionOf returns that of the canary of the declared Deployment.
func (t tracks) adoptionOf(ctx context.Context, o sluice.Object) (adoption, error) {
	a := adoption{tracks: t, declared: o}
	var err error
	if a.stable, err = object.Get(ctx, t.account, o.Ref()); err != nil {
		return a, err
	}
	a.canary, err = object.Get(ctx, t.account, delivery.CanaryOf(o.Ref()))
	return a, err
}

// isPossible reports whether the pods of the canary can be adopted. Those that an earlier version of Sluice brought
// have a label that those of the stable Deployment must not have.
func (a adoption) isPossible() bool {
	if a.canary == nil {
		return isRelease(a.stable, a.sc.Deployment)
	}
	return isRelease(a.canary, a.sc.Deployment)
}

// isRelease reports whether the pods of the Deployment are those that this deployment brought.
func isRelease(o sluice.Object, id sluice.DeploymentID) bool {
	return o.Text("spec", "template", "metadata", "labels", sluice.ReleaseLabel) == delivery.Release(id)
}

// run makes the Deployment adopt the pods, and continues what an interrupted call began. adopted is false if that is
// impossible: because the API server has stored other pods for the one than for the other, or because somebody else
// has set the fields that adoption needs.
func (a adoption) run(ctx context.Context) (adopted bool, err error) {
	if a.canary != nil && a.canary.Text("metadata", "deletionTimestamp") == "" {
		if a.isPaused, err = a.isPausedByOthers(ctx, a.declared, a.stable); err != nil {
			return false, err
		}
		now, err := a.pause(ctx, a.handover())
		if sluice.ErrorCode(err) == sluice.Conflict { // others set how its pods are replaced
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if same, err := sameTemplate(now, a.canary); err != nil || !same {
			return false, err
		}
		canary := a.canary.Ref()
		a.stable, a.canary = sizeOf(a.stable), sizeOf(a.canary) // many releases may wait here
		// A controller that still knew the old template would end the pods as those of an old version.
		err = a.waiter.Watch(ctx, a.declared.Ref(), func(o sluice.Object) (bool, string, error) {
			return isSeen(o), unseen, nil
		})
		if err != nil {
			return false, late(a.declared.Ref(), err)
		}
		if err := object.Orphan(ctx, a.account, canary); err != nil {
			return false, err
		}
	}
	a.stable, adopted, err = a.awaitLeft(ctx, a.declared.Ref(), a.canary == nil)
	if err != nil || !adopted {
		return false, err
	}
	return true, a.grow(ctx)
}

// sizeOf returns the Deployment with nothing but its number of pods.
func sizeOf(o sluice.Object) sluice.Object {
	size := sluice.Object{}
	size.Set(int64(o.Number(1, "spec", "replicas")), "spec", "replicas")
	return size
}

// awaitHandover returns when the pods of the Deployment's canary are adopted, or when nothing is left to adopt.
func (t tracks) awaitHandover(ctx context.Context, ref sluice.Ref) error {
	canary, err := object.Get(ctx, t.account, delivery.CanaryOf(ref))
	if err == nil {
		_, _, err = t.awaitLeft(ctx, ref, canary == nil)
	}
	return err
}

// awaitLeft is awaitAdopted. If the canary is gone, somebody may have deleted its pods too: then adopted is false.
func (t tracks) awaitLeft(
	ctx context.Context, ref sluice.Ref, isGone bool,
) (now sluice.Object, adopted bool, err error) {
	if isGone {
		t.waiter.Deadline = soonest(t.waiter.Deadline, t.deps.Now().Add(adoptionTimeout))
	}
	now, err = t.awaitAdopted(ctx, ref)
	if isGone && sluice.ErrorCode(err) == sluice.Failed {
		return now, false, nil
	}
	return now, err == nil, err
}

// adoptionTimeout bounds how long the pods of a canary that is gone may take to be adopted.
const adoptionTimeout = time.Minute

func soonest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// awaitAdopted returns the Deployment when its controller counts pods of its template, or when it is to have none.
func (t tracks) awaitAdopted(ctx context.Context, ref sluice.Ref) (now sluice.Object, err error) {
	err = t.waiter.Watch(ctx, ref, func(o sluice.Object) (bool, string, error) {
		now = o
		has := o.Number(0, "status", "updatedReplicas") > 0 || o.Number(1, "spec", "replicas") == 0
		return isSeen(o) && has, "it has not adopted the new pods yet", nil
	})
	return now, late(ref, err)
}

// grow gives the Deployment its new number of pods if that is larger, once it has no old pods that could grow with it.
func (a adoption) grow(ctx context.Context) error {
	ref := a.declared.Ref()
	size, had := a.declared.Number(0, "spec", "replicas"), a.stable.Number(1, "spec", "replicas")
	if a.stable.Field("spec", "paused") != true || size <= had {
		return nil
	}
	// A change of the number together with maxSurge would make the controller scale both versions.
	o := a.handover()
	o.Set(int64(size), "spec", "replicas")
	o.Set(int64(had), "spec", "strategy", "rollingUpdate", "maxSurge")
	if _, err := a.pause(ctx, o); err != nil {
		return err
	}
	err := a.waiter.Watch(ctx, ref, func(o sluice.Object) (bool, string, error) {
		// An autoscaler may want another number than the file says.
		all, want := o.Number(0, "status", "replicas"), o.Number(1, "spec", "replicas")
		// While it is paused, its old pods stay if a new one is not ready.
		tolerates := a.sc.Target.MaxUnready.Of(want) > 0
		done := all == want || tolerates && o.Number(0, "status", "readyReplicas") < all
		return isSeen(o) && done, "its old pods are not gone yet", nil
	})
	return late(ref, err)
}

// handover returns the Deployment with the new template, paused. maxSurge leaves room for the pods of both versions,
// so that its controller scales none of them down before it has looked at them. The number of pods grows only when the
// new ones are adopted: before, old ones would start.
func (a adoption) handover() sluice.Object {
	o := a.declared.Clone()
	if !a.isPaused {
		o.Set(true, "spec", "paused")
	}
	o.Set("RollingUpdate", "spec", "strategy", "type")
	o.Set(int64(a.canary.Number(a.stable.Number(1, "spec", "replicas"), "spec", "replicas")),
		"spec", "strategy", "rollingUpdate", "maxSurge")
	if n := o.Number(-1, "spec", "replicas"); n >= 0 {
		o.Set(int64(min(n, a.stable.Number(n, "spec", "replicas"))), "spec", "replicas")
	}
	return o
}

// pause applies what handover returns, without a progress deadline unless somebody else has set that.
func (a adoption) pause(ctx context.Context, o sluice.Object) (sluice.Object, error) {
	without := o.Clone()
	without.Set(ready.NoDeadline, "spec", "progressDeadlineSeconds")
	now, _, err := object.Apply(ctx, a.account, without)
	if sluice.ErrorCode(err) == sluice.Conflict {
		now, _, err = object.Apply(ctx, a.account, o)
	}
	return now, err
}

// isPausedByOthers reports whether somebody else has paused the Deployment: as declared it is paused too.
func (t target) isPausedByOthers(ctx context.Context, o, now sluice.Object) (bool, error) {
	if now.Field("spec", "paused") != true {
		return false, nil
	}
	will, _, err := t.account.Apply(ctx, o, true)
	if isImmutable(err) {
		return false, nil
	}
	return will.Field("spec", "paused") == true, object.WithOp("compare", o.Ref(), err)
}

// handoverAsNow returns the Deployment as handover has made it. If it is as declared, it is promoted and somebody has
// paused it.
func (t tracks) handoverAsNow(ctx context.Context, o, now sluice.Object) (sluice.Object, error) {
	isPaused, err := t.isPausedByOthers(ctx, o, now)
	if err != nil {
		return nil, err
	}
	isPromoted, err := changesNothing(t.account.Apply(ctx, o, true))
	if err != nil || isPromoted {
		return o, object.WithOp("compare", o.Ref(), err)
	}
	h := o.Clone()
	if !isPaused {
		h.Set(true, "spec", "paused")
	}
	h.Set("RollingUpdate", "spec", "strategy", "type")
	h.Set(now.Field("spec", "strategy", "rollingUpdate", "maxSurge"), "spec", "strategy", "rollingUpdate", "maxSurge")
	if now.Number(0, "spec", "progressDeadlineSeconds") == int(ready.NoDeadline) {
		h.Set(ready.NoDeadline, "spec", "progressDeadlineSeconds")
	}
	if h.Number(-1, "spec", "replicas") >= 0 {
		h.Set(int64(now.Number(1, "spec", "replicas")), "spec", "replicas")
	}
	return h, nil
}

// useWritten replaces, among the declared objects, the Deployments that differ from what is declared because they are
// in the middle of an adoption, or because an earlier version of Sluice wrote them. So an undo sees that they are as
// the deployment wrote them.
func (t tracks) useWritten(ctx context.Context) error {
	for i, o := range t.objects {
		if o.Text("kind") != "Deployment" {
			continue
		}
		now, err := object.Get(ctx, t.account, o.Ref())
		if err != nil {
			return err
		}
		switch {
		case isHandedOver(now, t.sc.Deployment):
			if t.objects[i], err = t.handoverAsNow(ctx, o, now); err != nil {
				return err
			}
		case delivery.IsOfEarlierVersion(now, t.sc.Deployment):
			labels, _ := o.Field("spec", "template", "metadata", "labels").(map[string]any)
			delete(labels, sluice.ReleaseLabel)
		}
	}
	return nil
}

// isHandedOver reports whether the Deployment has the new template and waits for the pods of its canary.
func isHandedOver(o sluice.Object, id sluice.DeploymentID) bool {
	return o.Field("spec", "paused") == true && isRelease(o, id)
}

// late names the Deployment in the error of a wait that ended at its deadline.
func late(ref sluice.Ref, err error) error {
	if !ready.IsTimeout(err) {
		return err
	}
	return sluice.Errorf(sluice.Failed, "%s does not take over the pods of its canary in time", ref).
		WithHint("see what its controller says: kubectl describe --namespace %s deployment/%s", ref.Namespace, ref.Name)
}
