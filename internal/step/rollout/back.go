package rollout

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
	"github.com/sluice-cd/sluice/internal/step/delivery"
	"github.com/sluice-cd/sluice/internal/step/object"
	"github.com/sluice-cd/sluice/internal/step/ready"
)

// When the canary's pods are adopted, nothing of the old version runs any more. To go back, the Deployment gets its old
// template, and its controller starts the old version from the replica set that it has kept. Until these pods are ready
// and have the traffic, none of the new version ends: a Deployment ends old pods only for others that were ready for
// minReadySeconds, and that time is set to decades.

// heldSeconds is so long that no pod counts as available.
const heldSeconds = math.MaxInt32 - 1

// goBack brings the Deployment back to the version that it had. If its pods do not become ready, the new version stays.
func (s *promote) goBack(ctx context.Context, b before, snap snapshot, t tracks) error {
	now, err := object.Get(ctx, s.account, b.Ref)
	if err != nil {
		return err
	}
	if isHandedOver(now, s.sc.Deployment) {
		if err := t.awaitHandover(ctx, b.Ref); err != nil {
			return err
		}
	}
	if now != nil {
		err = s.startBeside(ctx, b, now, t)
		if sluice.ErrorCode(err) == sluice.Failed {
			return s.stay(ctx, t, append(slices.Clone(snap.Deferred), b.Ref), err)
		}
		if err != nil {
			return err
		}
	}
	if _, _, err := s.account.Restore(ctx, b.Object, false); err != nil {
		return object.WithOp("restore", b.Ref, err)
	}
	return t.waiter.Ready(ctx, []sluice.Ref{b.Ref})
}

// startBeside starts the old version and sends it the traffic, while the pods of the new one stay.
func (s *promote) startBeside(ctx context.Context, b before, now sluice.Object, t tracks) error {
	old := heldBeside(b.Object, now)
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, _, err := s.account.Restore(ctx, old, true); sluice.ErrorCode(err) == sluice.Conflict {
		return checkResumed(b.Object, now)
	}
	if _, _, err := s.account.Restore(ctx, old, false); err != nil {
		return object.WithOp("restore", b.Ref, err)
	}
	if err := t.awaitOld(ctx, b.Ref, old.Number(1, "spec", "replicas")); err != nil {
		return err
	}
	list, err := t.divisions(ctx, t.objects, pick(t.objects, []sluice.Ref{b.Ref}))
	if err != nil {
		return err
	}
	err = t.shift(ctx, list, 0)
	if sluice.ErrorCode(err) == sluice.NotFound {
		return nil // the Service is gone
	}
	return err
}

// checkResumed returns a Conflict if somebody has paused the Deployment, so that its old version would never start.
// Otherwise others have set how its pods are replaced, and so they are.
func checkResumed(was, now sluice.Object) error {
	if was.Field("spec", "paused") != true || now.Field("spec", "paused") != true {
		return nil
	}
	ref := was.Ref()
	return sluice.Errorf(sluice.Conflict, "somebody paused %s, so its old version would never start", ref).
		WithHint("let its pods change: kubectl rollout resume deployment %s --namespace %s; then go on: sluice run --resume",
			ref.Name, ref.Namespace)
}

// heldBeside returns the Deployment as it was, but so that its pods start beside all that it has now.
func heldBeside(was, now sluice.Object) sluice.Object {
	o := was.Clone()
	most := max(was.Number(1, "spec", "replicas"), now.Number(1, "spec", "replicas"))
	o.Set(false, "spec", "paused") // or its controller would start nothing
	o.Set(int64(heldSeconds), "spec", "minReadySeconds")
	o.Set(ready.NoDeadline, "spec", "progressDeadlineSeconds")
	o.Set(map[string]any{"type": "RollingUpdate",
		"rollingUpdate": map[string]any{"maxSurge": int64(most), "maxUnavailable": int64(0)}}, "spec", "strategy")
	// Restore puts back the fields that Sluice had applied: these are among them now.
	for _, e := range o.List("metadata", "managedFields") {
		if e.Text("operation") != "Apply" || !strings.HasPrefix(e.Text("manager"), sluice.Manager) {
			continue
		}
		if now.Field("spec", "paused") == true {
			e.Set(map[string]any{}, "fieldsV1", "f:spec", "f:paused")
		}
		for _, field := range []string{"f:minReadySeconds", "f:progressDeadlineSeconds"} {
			e.Set(map[string]any{}, "fieldsV1", "f:spec", field)
		}
		e.Set(map[string]any{"f:type": map[string]any{}, "f:rollingUpdate": map[string]any{
			"f:maxSurge": map[string]any{}, "f:maxUnavailable": map[string]any{}}}, "fieldsV1", "f:spec", "f:strategy")
	}
	return o
}

// isHeldBeside reports whether the Deployment is on its way back.
func isHeldBeside(o sluice.Object) bool {
	return o.Number(0, "spec", "minReadySeconds") == heldSeconds
}

// awaitOld returns when so many pods of the old version are ready, or fewer if the Deployment is scaled down meanwhile.
func (t tracks) awaitOld(ctx context.Context, ref sluice.Ref, want int) error {
	release := delivery.Release(t.sc.Deployment)
	err := t.waiter.Watch(ctx, ref, func(o sluice.Object) (bool, string, error) {
		want := min(want, o.Number(1, "spec", "replicas"))
		want -= t.sc.Target.MaxUnready.Of(want)
		pods, err := ready.Pods(ctx, t.account, ref.Namespace, ref)
		if err != nil {
			return false, "", object.WithOp("list the pods of", ref, err)
		}
		n := 0
		for _, p := range pods {
			if p.Ready && p.Labels[sluice.ReleaseLabel] != release {
				n++
			}
		}
		if state := manifest.Status(o); n < want && state.Phase == manifest.Failed {
			return false, "", sluice.Errorf(sluice.Failed, "%s cannot become ready: %s", ref, state.Message)
		}
		return n >= want, fmt.Sprintf("%d of %d pods of the old version are ready", n, want), nil
	})
	if ready.IsTimeout(err) {
		return sluice.Errorf(sluice.Failed, "%s is not ready in time", ref)
	}
	return err
}

// stay brings back the new version and its configuration, which refs name: its pods are the only healthy copy.
func (s *promote) stay(ctx context.Context, t tracks, refs []sluice.Ref, why error) error {
	name := refs[len(refs)-1]
	err := error(sluice.Errorf(sluice.Failed, "the old version of %s does not get ready, so the new one stays: %w", name,
		why).WithHint("repair what the old version needs, or roll forward"))
	for _, o := range pick(t.objects, refs) {
		_, _, applied := object.Apply(ctx, s.account, o)
		err = errors.Join(err, applied)
	}
	return err
}
