package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/delivery"
	"github.com/sluice-cd/sluice/internal/step/deps"
	"github.com/sluice-cd/sluice/internal/step/object"
	"github.com/sluice-cd/sluice/internal/step/ready"
)

// apply brings the target's objects in dependency order and waits for each. If the strategy has steps before 100 %, a
// Deployment that exists and changes version gets a canary beside it instead, without traffic.
type apply struct {
	target
	atOnce
	spec sluice.Apply
}

// NewApply returns the step that applies the target's objects.
func NewApply(d deps.Deps, sc sluice.StepContext) (sluice.Step, error) {
	t, err := newTarget(d, sc)
	return &apply{target: t, spec: *sc.Step.Apply}, err
}

// Start writes one wave after the other, and waits for each before the next.
func (s *apply) Start(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	snap, err := s.startedWith(p)
	if err != nil {
		return p, err
	}
	objects, err := s.desired(snap)
	if err != nil {
		return p, err
	}
	w := s.waitFrom(snap.At)
	var changes []sluice.Change
	for _, wave := range waves(objects) {
		var unready []sluice.Ref
		for _, o := range wave {
			b, err := s.bring(ctx, snap, objects, o)
			if err != nil {
				return p, err
			}
			if was, ok := snap.find(b.ref); ok && was.Object == nil {
				b.outcome = sluice.Created // by a call before a crash, if not by this one
			}
			if b.outcome != sluice.Unchanged {
				changes = append(changes, sluice.Change{Object: b.ref.String(), Outcome: b.outcome})
			}
			if !b.ready {
				unready = append(unready, b.ref)
			}
		}
		if err := replaceBroken(ctx, w, snap.unready(wave)); err != nil {
			return p, err
		}
		if err := w.Ready(ctx, awaited(unready)); err != nil {
			return p, err
		}
	}
	if err := s.removeLeftCanaries(ctx, w, snap, objects); err != nil {
		return p, err
	}
	pods, err := steady(ctx, w, snap.broughtBy())
	if err != nil {
		return p, err
	}
	idle, err := s.idle(ctx, objects)
	if err != nil {
		return p, err
	}
	p.State, p.Changes = sluice.Done, changes
	p.Message = joined([]string{asDeclared(len(objects)), idle}, "; ")
	if slices.ContainsFunc(objects, ready.Expires) {
		p.State = sluice.Running
	}
	if len(snap.Canaries) > 0 {
		p.Message = "the new version is ready beside the old one, without traffic"
	}
	if len(snap.Canaries)+len(pods) > 0 || snap.First {
		p.Result = &sluice.Result{First: snap.First, Brought: pods}
		for _, ref := range snap.Canaries {
			p.Result.Canaries = append(p.Result.Canaries, delivery.CanaryOf(ref))
		}
	}
	return p, nil
}

func asDeclared(objects int) string {
	if objects == 1 {
		return "1 object is as declared"
	}
	return fmt.Sprintf("%d objects are as declared", objects)
}

// Observe gives the Jobs their ttlSecondsAfterFinished back, now that it is recorded that they succeeded. So a Job
// that is gone is not run again.
func (s *apply) Observe(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	snap, err := s.startedWith(p)
	if err != nil {
		return p, err
	}
	objects, err := s.desired(snap)
	if err != nil {
		return p, err
	}
	for _, o := range objects {
		if _, isWritten := snap.find(o.Ref()); !isWritten {
			continue
		}
		kept, err := s.isKept(ctx, o)
		if err == nil && kept {
			_, _, err = object.Apply(ctx, s.account, o)
		}
		if err != nil {
			return p, err
		}
	}
	p.State = sluice.Done
	return p, nil
}

// waves groups the ordered objects: a wave has to be ready before the next is applied.
func waves(objects []sluice.Object) [][]sluice.Object {
	var list [][]sluice.Object
	last := -2 // no wave
	for _, o := range objects {
		if n := waveOf(o); n != last {
			list, last = append(list, nil), n
		}
		list[len(list)-1] = append(list[len(list)-1], o)
	}
	return list
}

// waveOf distinguishes the kinds that later objects depend on; all others may be applied together.
func waveOf(o sluice.Object) int {
	waves := [][]string{{"Namespace"}, {"CustomResourceDefinition"}, {"StatefulSet", "DaemonSet"}, {"Job"}, {"Deployment"}}
	return slices.IndexFunc(waves, func(kinds []string) bool { return slices.Contains(kinds, o.Text("kind")) })
}

// awaited leaves out claims: many are bound only once a pod uses them, and the pods are waited for.
func awaited(refs []sluice.Ref) []sluice.Ref {
	return slices.DeleteFunc(slices.Clone(refs), func(r sluice.Ref) bool { return r.Kind == "PersistentVolumeClaim" })
}

// A brought is what was written for one declared object.
type brought struct {
	ref     sluice.Ref
	outcome sluice.Outcome
	ready   bool
}

// bring writes the object, or its canary until promotion, as the snapshot says.
func (s *apply) bring(ctx context.Context, snap snapshot, objects []sluice.Object, o sluice.Object) (brought, error) {
	ref := o.Ref()
	_, isWritten := snap.find(ref)
	var err error
	switch {
	case slices.Contains(snap.Canaries, ref):
		return s.bringCanary(ctx, snap, objects, o)
	case slices.Contains(snap.Deferred, ref):
		return s.bringVersion(ctx, o)
	case slices.Contains(snap.Ordered, ref):
		o, err = s.heldBack(ctx, o)
	case !isWritten:
		now, err := object.Get(ctx, s.account, ref)
		if err != nil {
			return brought{}, err
		}
		if now != nil || ref.Kind == "Job" { // which an earlier release has run
			return brought{ref, sluice.Unchanged, now == nil || ready.Is(now) || isSuspended(o)}, nil
		}
	case ref.Kind == "Job":
		o = ready.Kept(o)
		err = s.deleteOldRun(ctx, o)
	}
	if err != nil {
		return brought{}, err
	}
	now, outcome, err := object.Apply(ctx, s.account, o)
	if err != nil {
		return brought{}, err
	}
	return brought{o.Ref(), outcome, ready.Is(now) || isSuspended(o)}, nil
}

// bringVersion brings the configuration as a version for the canary. A version that exists has the same content.
func (s *apply) bringVersion(ctx context.Context, config sluice.Object) (brought, error) {
	v, err := versionOf(config, s.sc.Deployment)
	if err != nil {
		return brought{}, err
	}
	now, err := object.Get(ctx, s.account, v.Ref())
	if err != nil || now != nil {
		return brought{v.Ref(), sluice.Unchanged, true}, err
	}
	_, outcome, err := object.Apply(ctx, s.account, v)
	return brought{v.Ref(), outcome, true}, err
}

// isSuspended reports whether the declared Job does not run until somebody resumes it.
func isSuspended(o sluice.Object) bool {
	return o.Text("kind") == "Job" && o.Field("spec", "suspend") == true
}

// bringCanary brings the canary beside the stable Deployment, with the versions of the configuration that its pods
// use. Before it does so, it takes the Services' traffic away from canaries.
func (s *apply) bringCanary(
	ctx context.Context, snap snapshot, objects []sluice.Object, o sluice.Object,
) (brought, error) {
	stable, err := s.account.Get(ctx, o.Ref())
	if err != nil {
		return brought{}, object.WithOp("read", o.Ref(), err)
	}
	alone := []sluice.Object{o}
	if err := (tracks{s.target, objects, s.waitFrom(snap.At)}).removeLeft(ctx, alone); err != nil {
		return brought{}, err
	}
	list, err := s.divisions(ctx, objects, alone)
	if err != nil {
		return brought{}, err
	}
	if err := s.shift(ctx, list, 0); err != nil {
		return brought{}, err
	}
	standing, err := object.Get(ctx, s.account, delivery.CanaryOf(o.Ref()))
	if err != nil {
		return brought{}, err
	}
	if isHeld(standing, s.sc.Deployment) && !isRelease(standing, s.sc.Deployment) { // by an earlier version of Sluice
		return brought{standing.Ref(), sluice.Unchanged, ready.Is(standing)}, nil
	}
	c, err := s.canary(ctx, snap, objects, o, stable)
	if err != nil {
		return brought{}, err
	}
	set := delivery.ReplicaSetOf(s.sc.Deployment, o.Text("metadata", "name"))
	now, outcome, err := object.Beside(ctx, s.account, c, set)
	if err != nil {
		return brought{}, err
	}
	owner := c.Ref()
	owner.Kind, owner.Name = "ReplicaSet", set
	err = s.bindVersions(ctx, objects, c, owner)
	return brought{c.Ref(), outcome, ready.Is(now)}, err
}

// canary returns the canary as it is brought: with the pods that the first weight needs or, after a crash, those that
// it has.
func (s *apply) canary(
	ctx context.Context, snap snapshot, objects []sluice.Object, o, stable sluice.Object,
) (sluice.Object, error) {
	c := canaryOf(o, stable, s.sc.Deployment)
	delivery.Mark(c, s.sc)
	c.Set(strconv.Itoa(snap.promoted(o.Ref(), stable)), "metadata", "annotations", sizedTo)
	useVersions(c, stable, objects)
	for _, config := range pick(objects, snap.Deferred) {
		v, err := versionOf(config, s.sc.Deployment)
		if err != nil {
			return nil, err
		}
		rename(c, config.Text("kind"), config.Text("metadata", "name"), v.Text("metadata", "name"))
	}
	p, err := tracks{target: s.target, objects: objects}.divided(ctx, pair{stable: stable, canary: c}, o)
	if err != nil {
		return nil, err
	}
	c.Set(int64(p.firstSize(s.sc)), "spec", "replicas")
	return c, s.completeTemplate(ctx, c, o)
}

// completeTemplate gives the canary also what others have set in the template of the stable Deployment, such as
// kubectl rollout restart. Otherwise its pods could not be adopted.
func (s *apply) completeTemplate(ctx context.Context, canary, o sluice.Object) error {
	o = o.Clone()
	o.Set(canary.Clone().Field("spec", "template"), "spec", "template")
	will, _, err := s.account.Apply(ctx, o, true)
	if err != nil {
		return object.WithOp("compare", o.Ref(), err)
	}
	canary.Set(will.Clone().Field("spec", "template"), "spec", "template")
	return nil
}

// canaryOf returns the Deployment that runs the version beside stable.
//
// The template of its pods is the one that stable will get, so that stable can adopt them. They carry all labels of
// the stable pods, so the Services select both. The stable Deployment's selector matches them too; a controller takes
// over only objects without an owner, and the replica set of these pods belongs to the canary from the start.
func canaryOf(version, stable sluice.Object, id sluice.DeploymentID) sluice.Object {
	c := sluice.Object{"apiVersion": version["apiVersion"], "kind": version["kind"], "spec": version.Clone()["spec"]}
	if spec, ok := c["spec"].(map[string]any); ok {
		delete(spec, "paused") // which is about the stable pods
	}
	ref := delivery.CanaryOf(version.Ref())
	c.Set(ref.Name, "metadata", "name")
	if ref.Namespace != "" {
		c.Set(ref.Namespace, "metadata", "namespace")
	}
	c.Set(string(id), "metadata", "annotations", delivery.MadeBy)
	c.Set(sluice.TrackCanary, "metadata", "labels", sluice.TrackLabel)
	c.Set(delivery.Release(id), "spec", "selector", "matchLabels", sluice.ReleaseLabel)
	c.Set(strconv.Itoa(stable.Number(1, "spec", "replicas")), "metadata", "annotations", sizedAt)
	if n, err := strconv.Atoi(stable.Text("metadata", "annotations", revision)); err == nil {
		c.Set(strconv.Itoa(n+1), "metadata", "annotations", revision)
	}
	ready.TakeDeadline(c)
	return c
}

// revision is the annotation by which the controller of a Deployment numbers its versions. The canary has the number
// that the version will have, so that the controller has nothing to write when the pods are adopted.
const revision = "deployment.kubernetes.io/revision"

// heldBack returns the workload with its new template, which none of its pods gets yet. After a crash it is held back
// as far as it is now.
func (s *apply) heldBack(ctx context.Context, o sluice.Object) (sluice.Object, error) {
	now, err := s.account.Get(ctx, o.Ref())
	if err != nil {
		return nil, object.WithOp("read", o.Ref(), err)
	}
	if isHeld(now, s.sc.Deployment) {
		return heldAsNow(o, now, s.sc.Deployment), nil
	}
	all := max(o.Number(1, "spec", "replicas"), now.Number(1, "spec", "replicas"))
	return heldAt(o, all, s.sc.Deployment), nil
}

// deleteOldRun deletes a Job that ran with another spec: a Job's pods cannot be changed.
func (s *apply) deleteOldRun(ctx context.Context, job sluice.Object) error {
	if _, _, err := s.account.Apply(ctx, job, true); !isImmutable(err) {
		return nil
	}
	was, err := object.Get(ctx, s.account, job.Ref())
	if err != nil || was == nil {
		return err
	}
	return object.Delete(ctx, s.account, job.Ref())
}

// isKept reports whether the object is a Job that is still kept from its deletion.
func (s *apply) isKept(ctx context.Context, o sluice.Object) (bool, error) {
	if !ready.Expires(o) {
		return false, nil
	}
	now, err := object.Get(ctx, s.account, o.Ref())
	return now != nil && !ready.Expires(now), err
}

// useKept replaces the Jobs that are kept by what was applied of them.
func (s *apply) useKept(ctx context.Context, objects []sluice.Object) error {
	for i, o := range objects {
		kept, err := s.isKept(ctx, o)
		if err != nil {
			return err
		}
		if kept {
			objects[i] = ready.Kept(o)
		}
	}
	return nil
}

// removeLeftCanaries removes the canaries that an earlier deployment had to leave, if their Deployments went straight
// to 100 %.
func (s *apply) removeLeftCanaries(ctx context.Context, w ready.Waiter, snap snapshot, objects []sluice.Object) error {
	straight := slices.DeleteFunc(object.OfKind(objects, "Deployment"), func(o sluice.Object) bool {
		return slices.Contains(snap.Canaries, o.Ref())
	})
	return tracks{s.target, objects, w}.removeLeft(ctx, straight)
}

// Undo removes the canaries and puts every object back, the last written first, and waits until what was ready before
// is ready again. An object that cannot be put back does not prevent it from putting back the others. Canaries that
// are the only pods in service stay until the stable pods are ready again.
func (s *apply) Undo(ctx context.Context, p sluice.Progress) error {
	snap, taken, err := readSnapshot(p)
	if err != nil || !taken {
		return err
	}
	objects, err := s.desired(snap)
	if err != nil {
		return err
	}
	if err := s.bringStableBack(ctx, snap); err != nil {
		return err
	}
	stays := s.removeCanaries(ctx, snap, objects)
	if stays != nil && sluice.ErrorCode(stays) != sluice.Failed {
		return stays
	}
	err = s.putAllBack(ctx, snap, objects)
	if stays == nil || sluice.MayPass(err) || ctx.Err() != nil {
		return errors.Join(err, stays)
	}
	unready := s.waitFrom(s.deps.Now()).Ready(ctx, snap.Canaries)
	if unready != nil && sluice.ErrorCode(unready) != sluice.Failed {
		return errors.Join(unready, err)
	}
	return errors.Join(s.removeCanaries(ctx, snap, objects), err)
}

// bringStableBack creates the Deployments again that somebody has deleted meanwhile: the pods of their canaries may be
// the last that serve.
func (s *apply) bringStableBack(ctx context.Context, snap snapshot) error {
	w := s.waitFrom(s.deps.Now())
	for _, b := range snap.Stable {
		now, err := object.Get(ctx, s.account, b.Ref)
		if err != nil {
			return err
		}
		if now != nil || b.Object == nil {
			continue
		}
		if _, _, err := object.Apply(ctx, s.account, b.Object); err != nil {
			return err
		}
		if err := w.Ready(ctx, []sluice.Ref{b.Ref}); err != nil && sluice.ErrorCode(err) != sluice.Failed {
			return err
		}
	}
	return nil
}

func (s *apply) removeCanaries(ctx context.Context, snap snapshot, objects []sluice.Object) error {
	return tracks{s.target, objects, s.waitFrom(s.deps.Now())}.withdraw(ctx, snap)
}

func (s *apply) putAllBack(ctx context.Context, snap snapshot, objects []sluice.Object) error {
	if err := s.useHeld(ctx, objects, snap.Ordered); err != nil {
		return err
	}
	if err := s.useKept(ctx, objects); err != nil {
		return err
	}
	r := s.newRestorer(objects)
	restored, err := r.restoreAll(ctx, slices.Backward(snap.Before), func(b before) (bool, error) {
		return s.putBack(ctx, r, b, slices.Contains(snap.Ordered, b.Ref))
	})
	if err != nil {
		return err
	}
	w := s.waitFrom(s.deps.Now())
	if err = replaceBroken(ctx, w, restored); err == nil {
		err = w.Ready(ctx, awaited(restored))
	}
	if err != nil {
		return errors.Join(err, r.refused)
	}
	return errors.Join(r.refused, r.left())
}

// putBack puts one object back, and first the pods of a set that changed pod by pod. It reports whether the object is
// back.
func (s *apply) putBack(ctx context.Context, r *restorer, b before, ordered bool) (back bool, err error) {
	var unready error
	if o, known := r.ours[b.Ref]; known && ordered {
		if unready = s.putPodsBack(ctx, r, b, o); unready != nil && sluice.ErrorCode(unready) != sluice.Failed {
			return false, unready
		}
	}
	back, err = r.restore(ctx, b)
	return back, errors.Join(unready, err)
}

// putPodsBack brings the old version back to the pods of a set whose pods Sluice evicts in its own order, before the
// set's own strategy comes back. Under OnDelete nobody else would do it, and any other strategy ignores which pod is
// the primary.
func (s *apply) putPodsBack(ctx context.Context, r *restorer, b before, held sluice.Object) error {
	if b.Object == nil || byPartition(held) {
		return nil
	}
	now, err := object.Get(ctx, s.account, b.Ref)
	if err != nil || !isHeld(now, s.sc.Deployment) {
		return err
	}
	old := heldAt(held, 0, s.sc.Deployment)
	old.Set(b.Object.Clone().Field("spec", "template"), "spec", "template")
	back, err := changesNothing(s.account.Apply(ctx, old, true))
	if err != nil {
		return object.WithOp("compare", b.Ref, err)
	}
	if !back {
		if mine, err := r.isOurs(ctx, b.Ref); err != nil || !mine {
			return err
		}
		if _, _, err := object.Apply(ctx, s.account, old); err != nil {
			return err
		}
	}
	r.ours[b.Ref] = old
	_, err = tracks{s.target, []sluice.Object{old}, s.waitFrom(s.deps.Now())}.replacePods(ctx, old, 100)
	return err
}

// waitFrom waits as long as the target's objects may take, counted from the given instant.
func (s *apply) waitFrom(from time.Time) ready.Waiter { return s.newWaiter(from, s.spec.Timeout) }
