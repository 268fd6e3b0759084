package agent

import (
	"context"
	"errors"
	"os"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/local/kind"
)

// Delete marks the object and waits until it is gone with everything that belongs to it. If ctx ends first, the
// deletion goes on.
func (a *Agent) Delete(ctx context.Context, ref sluice.Ref) error {
	k := keyOf(ref)
	if !kind.Runs(ref.APIVersion, ref.Kind) {
		return nil // there is none
	}
	if !kind.Namespaced(k.Kind) {
		k.Namespace = ""
	}
	sub := a.events.subscribe(func(other key) bool { return other == k })
	defer a.events.unsubscribe(sub)
	uid, err := a.beginDelete(k)
	if uid == "" || err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-sub.wake:
		}
		for _, o := range sub.take() {
			if o.Text("metadata", "uid") == uid && o.Field(goneField) != nil {
				return nil
			}
		}
	}
}

func (a *Agent) beginDelete(k key) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	defer a.wake()
	e := a.store.objects[k]
	if e == nil && k.Kind == "PersistentVolumeClaim" {
		return "", a.removeStaged(k)
	}
	if e == nil {
		return "", nil
	}
	if k.Kind == "PersistentVolumeClaim" {
		if err := a.unused(k.Namespace, k.Name); err != nil {
			return "", err
		}
	}
	return e.uid(), a.markDeleting(e)
}

// removeStaged removes the generations of a claim that was staged, and perhaps switched, before it had an object.
func (a *Agent) removeStaged(k key) error {
	if err := (VolumeRequest{Namespace: k.Namespace, Claim: k.Name, Generation: firstGeneration}).check(); err != nil {
		return err
	}
	if err := os.RemoveAll(a.claimRoot(k.Namespace, k.Name)); err != nil {
		return err
	}
	return a.leaveNamespace(k.Namespace)
}

func (a *Agent) markDeleting(e *entry) error {
	if e.deleting() {
		return nil
	}
	e.Object.Set(timestamp(), "metadata", "deletionTimestamp")
	if e.key().Kind == "Namespace" {
		e.Object.Set(map[string]any{"phase": "Terminating"}, "status")
	}
	a.wake()
	return a.store.put(e)
}

// finalise brings the deletion of an object one step further, and removes the object when nothing of it is left.
func (a *Agent) finalise(e *entry) error {
	k := e.key()
	switch k.Kind {
	case "Deployment", "StatefulSet", "Job":
		if left, err := a.finaliseWorkload(e); left || err != nil {
			return err
		}
	case "Service":
		a.closeService(k)
	case "PersistentVolumeClaim":
		if len(a.users(k.Namespace, k.Name)) > 0 {
			return nil
		}
		if err := os.RemoveAll(a.claimRoot(k.Namespace, k.Name)); err != nil {
			return err
		}
	case "Namespace":
		if left, err := a.finaliseNamespace(k.Name); left || err != nil {
			return err
		}
	}
	a.wake() // a namespace may be waiting for this
	if err := a.store.remove(k); err != nil || k.Namespace == "" {
		return err
	}
	return a.leaveNamespace(k.Namespace)
}

func (a *Agent) finaliseWorkload(e *entry) (left bool, err error) {
	if e.Orphan {
		return false, a.disown(e)
	}
	for _, p := range a.podsOf(e.uid()) {
		if p.ended() {
			err = errors.Join(err, a.forget(p))
			continue
		}
		left = true
		err = errors.Join(err, a.stop(p, e.Object.Ref().String()+" is deleted"))
	}
	return left, err
}

func (a *Agent) finaliseNamespace(name string) (left bool, err error) {
	for _, e := range a.store.list("", name) {
		left = true
		err = errors.Join(err, a.markDeleting(e))
	}
	for _, p := range a.ownerless(name) {
		left = true
		err = errors.Join(err, a.stop(p, "Namespace/"+name+" is deleted"))
	}
	if left || err != nil {
		return left, err
	}
	return false, os.RemoveAll(a.claimRoot(name, ""))
}
