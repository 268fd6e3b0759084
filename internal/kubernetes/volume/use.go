package volume

import (
	"context"
	"maps"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
)

// Use puts the volume of the generation in the place of the claim's volume: it deletes the claim and creates it again
// as it is to be, with the other volume, which is reserved for it meanwhile. Both volumes are retained until the claim
// is bound; then the new one gets the reclaim policy that the one before had.
func (v *Volumes) Use(ctx context.Context, claim sluice.Object, generation string) (before string, err error) {
	ref := claim.Ref()
	s := v.subject(ref.Namespace, ref.Name)
	for range maxAttempts {
		before, done, err := s.use(ctx, claim, generation)
		if done || err != nil {
			return before, err
		}
	}
	return "", sluice.Errorf(sluice.Conflict, "somebody else creates or deletes the claim %s in %s all the time", s.Name,
		s.Namespace).WithHint("stop what does that, and run it again")
}

// use is not done if somebody else has created or deleted the claim meanwhile.
func (s subject) use(
	ctx context.Context, claim sluice.Object, generation string,
) (before string, done bool, err error) {
	g, err := s.find(ctx, generation)
	if err != nil {
		return "", false, err
	}
	if g.volume == nil {
		return "", false, s.notThere(ctx, g, generation)
	}
	now, old, err := s.current(ctx)
	if err != nil {
		return "", false, err
	}
	w := &swap{s, claim, g, now, old}
	if now.Text("metadata", "deletionTimestamp") != "" {
		return "", false, w.lose(ctx)
	}
	if old.Text("metadata", "name") != g.name() {
		if done, err = w.replace(ctx); !done || err != nil {
			return "", false, err
		}
	}
	before, err = w.finish(ctx)
	return before, true, err
}

// notThere is the error for a generation without a volume. A class that waits for its first consumer makes none before
// a pod mounts the staging claim, and nothing else could say where the volume must be.
func (s subject) notThere(ctx context.Context, g generation, name string) error {
	if g.isAbsent() {
		return sluice.Errorf(sluice.NotFound, "the claim %s in %s has no generation %s", s.Name, s.Namespace, name)
	}
	e := sluice.Errorf(sluice.Conflict, "the generation %s of the claim %s in %s has no volume yet", name, s.Name,
		s.Namespace)
	staging := g.staging.Ref().Name
	class := g.staging.Text("spec", "storageClassName")
	o, err := s.get(ctx, sluice.Ref{APIVersion: "storage.k8s.io/v1", Kind: "StorageClass", Name: class})
	if err == nil && o.Text("volumeBindingMode") == "WaitForFirstConsumer" {
		return e.WithHint("fill it first: the StorageClass %s makes the volume when a pod mounts the claim %s", class,
			staging)
	}
	return e.WithHint("see what it waits for: kubectl describe pvc --namespace %s %s", s.Namespace, staging)
}

// A swap puts one volume in the place of another. Every write is decided by what the cluster has, so a call after an
// interrupted one goes on where that ended.
type swap struct {
	subject
	claim sluice.Object // as it is to be
	next  generation
	now   sluice.Object // the claim as it is, nil if it does not exist
	old   sluice.Object // its volume, nil for none
}

// lose waits for the end of a claim that is being deleted, and keeps its volume.
func (w *swap) lose(ctx context.Context) error {
	if err := w.mustBeUnused(ctx); err != nil {
		return err
	}
	if err := w.keepOld(ctx); err != nil {
		return err
	}
	return w.awaitGone(ctx, w.now)
}

// replace creates the claim with the other volume. It is not done if somebody else was faster.
func (w *swap) replace(ctx context.Context) (done bool, err error) {
	for _, step := range []func(context.Context) error{
		w.mustBeUnused, w.mustBeDetached, w.keepNext, w.keepOld, w.release, w.reserve, w.remove, w.awaitReserved,
	} {
		if err := step(ctx); err != nil {
			return false, err
		}
	}
	return w.recreate(ctx)
}

func (w *swap) mustBeUnused(ctx context.Context) error {
	all, err := w.mountings(ctx, w.Namespace)
	if err != nil {
		return err
	}
	for _, o := range []sluice.Object{w.now, w.next.staging} {
		if o == nil {
			continue
		}
		users, err := w.usersAmong(ctx, all, o.Ref())
		if err != nil {
			return err
		}
		if len(users) > 0 {
			return sluice.Errorf(sluice.Conflict, "the claim %s in %s is used by %s", o.Ref().Name, w.Namespace,
				strings.Join(users, ", ")).WithHint("stop it; a pod that has ended must be deleted too")
		}
	}
	return nil
}

// mustBeDetached waits until no node has the old volume: a pod that was deleted by force may still run.
func (w *swap) mustBeDetached(ctx context.Context) error {
	if w.old == nil {
		return nil
	}
	attachments, err := w.client.List(ctx, "storage.k8s.io/v1", "VolumeAttachment", "")
	if err != nil {
		return err
	}
	for _, a := range attachments {
		if a.Text("spec", "source", "persistentVolumeName") != w.old.Ref().Name {
			continue
		}
		if err := w.await(ctx, a.Ref(), isGone, func(o sluice.Object) string {
			return "to let go of the volume " + w.old.Ref().Name + " on the node " + o.Text("spec", "nodeName")
		}); err != nil {
			return err
		}
	}
	return nil
}

func isGone(o sluice.Object) bool { return o == nil }

// keepNext lets the new volume outlive its staging claim, and notes on it what finish needs.
func (w *swap) keepNext(ctx context.Context) error {
	before := w.old.Text("metadata", "name")
	again, err := w.policy(ctx)
	if err != nil {
		return err
	}
	return w.change(ctx, w.next.volume.Ref(), func(pv sluice.Object) sluice.Object {
		if hasNote(pv, beforeNote) {
			return nil
		}
		patch := w.retained(pv, again)
		patch.Set(before, "metadata", "annotations", beforeNote)
		if w.next.staging != nil {
			patch.Set(note(w.next.staging, generationNote), "metadata", "annotations", generationNote)
		}
		return patch
	})
}

// policy returns the reclaim policy that the claim's volume is to have again. If somebody has deleted the claim, its
// volume still says so.
func (w *swap) policy(ctx context.Context) (string, error) {
	if w.old != nil {
		return again(w.old), nil
	}
	marked, err := w.marked(ctx)
	if err != nil {
		return "", err
	}
	for _, pv := range marked {
		if isOf(pv, w.Ref) && pv.Ref() != w.next.volume.Ref() && hasNote(pv, policyNote) {
			return again(pv), nil
		}
	}
	return again(w.next.volume), nil
}

// again returns the policy that the volume had before Sluice retained it.
func again(pv sluice.Object) string {
	if kept := note(pv, policyNote); kept != "" {
		return kept
	}
	return policy(pv)
}

func (w *swap) keepOld(ctx context.Context) error { return w.protect(ctx, w.old) }

// release deletes the staging claim, and first what its volume was made of.
func (w *swap) release(ctx context.Context) error {
	if w.next.staging == nil {
		return nil
	}
	if isFromSnapshot(w.next.staging) {
		if err := (snapshot{w.subject, note(w.next.staging, generationNote)}).discard(ctx); err != nil {
			return err
		}
	}
	return w.objects.remove(ctx, w.next.staging)
}

// reserve keeps every other claim from the new volume.
func (w *swap) reserve(ctx context.Context) error {
	return w.change(ctx, w.next.volume.Ref(), func(pv sluice.Object) sluice.Object {
		if isOf(pv, w.Ref) && pv.Text("spec", "claimRef", "uid") == "" {
			return nil
		}
		return sluice.Object{"spec": map[string]any{"claimRef": map[string]any{
			"apiVersion": w.APIVersion, "kind": w.Kind, "namespace": w.Namespace, "name": w.Name,
			"uid": nil, "resourceVersion": nil,
		}}}
	})
}

func (w *swap) remove(ctx context.Context) error {
	if w.now == nil {
		return nil
	}
	return w.objects.remove(ctx, w.now)
}

// awaitReserved waits until the cluster's controller has seen the reservation. If the claim came before that, its
// binding would be a conflict, which the controller tries again only when it looks at everything, every 15 seconds.
// Somebody else's claim of the name may have been bound already.
func (w *swap) awaitReserved(ctx context.Context) error {
	return w.await(ctx, w.next.volume.Ref(), func(o sluice.Object) bool {
		return o == nil || o.Text("status", "phase") == "Available" || o.Text("spec", "claimRef", "uid") != ""
	}, func(o sluice.Object) string {
		return "to be reserved for the claim " + w.Name + "; it is " + o.Text("status", "phase")
	})
}

// recreate creates the claim. A quota may count the deleted one for a moment more.
func (w *swap) recreate(ctx context.Context) (done bool, err error) {
	o := w.bound()
	for limit := time.Now().Add(patience); ; {
		_, isTaken, err := w.create(ctx, o.Clone())
		if sluice.ErrorCode(err) != sluice.Exhausted || time.Now().After(limit) {
			return !isTaken && err == nil, err
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// bound returns the claim with the new volume, without what only its binding to the old one has left on it.
func (w *swap) bound() sluice.Object {
	o := sluice.Object{"apiVersion": w.APIVersion, "kind": w.Kind}
	o.Set(w.Name, "metadata", "name")
	o.Set(w.Namespace, "metadata", "namespace")
	for _, field := range []string{"labels", "annotations"} {
		if m, ok := w.claim.Field("metadata", field).(map[string]any); ok {
			kept := maps.Clone(m)
			maps.DeleteFunc(kept, func(k string, _ any) bool { return strings.HasPrefix(k, "pv.kubernetes.io/") })
			o.Set(kept, "metadata", field)
		}
	}
	o["spec"] = w.claim.Clone()["spec"]
	o.Set(w.next.name(), "spec", "volumeName")
	return o
}

// finish waits until the claim is bound, gives its volume the policy that it is to have, and returns the name of the
// volume before. If there is nothing to finish, that is the volume itself.
func (w *swap) finish(ctx context.Context) (before string, err error) {
	name := w.next.name()
	err = w.await(ctx, w.Ref, func(o sluice.Object) bool {
		return o.Text("spec", "volumeName") == name && o.Text("status", "phase") == "Bound"
	}, func(o sluice.Object) string {
		return "to be bound to the volume " + name + "; it is " + o.Text("status", "phase")
	})
	if err != nil {
		return "", err
	}
	before = name
	return before, w.change(ctx, volumeRef(name), func(pv sluice.Object) sluice.Object {
		if !hasNote(pv, beforeNote) {
			return nil
		}
		before = note(pv, beforeNote)
		patch := sluice.Object{}
		patch.Set(again(pv), "spec", "persistentVolumeReclaimPolicy")
		patch.Set(nil, "metadata", "annotations", policyNote)
		patch.Set(nil, "metadata", "annotations", beforeNote)
		return patch
	})
}
