package stork

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"path/filepath"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
)

const (
	// How many ticks a claim may take to be deleted, and to be bound. Pods and volumes have their own pace, so patience
	// has a minimum that does not depend on the length of a tick.
	ticksToDelete = 12
	ticksToBind   = 12
	leastPatience = 40 * time.Second

	hashAnnotation = group + "/resource-hash"
)

var (
	errInUse       = errors.New("claim is still there, it is used by a pod: <nil>")
	errNoClass     = errors.New("storage class not found")
	errNeverBound  = errors.New("claim is not bound")
	errTurnedAside = errors.New("admission refused the claim: <nil>")
)

// bringObjects creates the claims and their volumes at the destination. A permanent failure ends the migration; another
// one leaves it in its stage, with an event.
func (r *run) bringObjects(ctx context.Context) error {
	p, err := r.ready(ctx, false)
	if err != nil || p == nil {
		return err
	}
	to, err := destination(p)
	if err != nil {
		return r.warn(ctx, err.Error())
	}
	matched, err := r.claims(ctx)
	if err != nil {
		return err
	}
	var results []any
	all := true
	for i := range matched {
		b := &bearer{run: r, to: to, claim: &matched[i], mode: mode(p)}
		err := b.bring(ctx)
		switch {
		case errors.Is(err, errNoClass) || errors.Is(err, errNeverBound):
			return r.warn(ctx, err.Error())
		case err != nil && !errors.Is(err, errInUse) && !errors.Is(err, errTurnedAside):
			return errors.Join(err, r.warn(ctx, err.Error()))
		}
		all = all && err == nil
		results = append(results, b.result("PersistentVolume", "", b.volume(), nil),
			b.result("PersistentVolumeClaim", b.claim.GetNamespace(), b.claim.GetName(), err))
	}
	r.status()["resources"] = results
	if !all {
		return r.finish(ctx, statusPartial)
	}
	return r.finish(ctx, statusSuccessful)
}

// A bearer copies one claim and its volume to the destination.
type bearer struct {
	*run
	to    dynamic.Interface
	claim *unstructured.Unstructured
	mode  Mode
}

func (b *bearer) result(kind, namespace, name string, err error) object {
	status, reason := statusSuccessful, "Resource migrated successfully"
	if err != nil {
		status, reason = statusFailed, "Error applying resource: "+err.Error()
	}
	return object{"group": "core", "version": "v1", "kind": kind, "namespace": namespace, "name": name, "status": status,
		"reason": reason, "transformedBy": ""}
}

func (b *bearer) volume() string {
	name, _, _ := unstructured.NestedString(b.claim.Object, "spec", "volumeName")
	return name
}

func (b *bearer) there() dynamic.ResourceInterface {
	return b.to.Resource(claims).Namespace(b.claim.GetNamespace())
}

func (b *bearer) bring(ctx context.Context) error {
	switch b.mode {
	case ClaimFails:
		return errTurnedAside
	case NeverBinds:
		return errNeverBound
	}
	if err := b.ensureAround(ctx); err != nil {
		return err
	}
	old, err := b.there().Get(ctx, b.claim.GetName(), v1.GetOptions{})
	if err == nil && old.GetDeletionTimestamp() == nil && old.GetAnnotations()[hashAnnotation] == b.hash() {
		return b.settle(ctx) // its volume already has the new content
	}
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	if err == nil {
		if err := b.remove(ctx); err != nil {
			return err
		}
	}
	if err := b.create(ctx); err != nil {
		return err
	}
	return b.settle(ctx)
}

// ensureAround copies the namespace and the StorageClass if they do not exist.
func (b *bearer) ensureAround(ctx context.Context) error {
	namespace := &unstructured.Unstructured{Object: object{"apiVersion": "v1", "kind": "Namespace",
		"metadata": object{"name": b.claim.GetNamespace()}}}
	if _, err := b.to.Resource(namespaces).Create(ctx, namespace, v1.CreateOptions{}); err != nil &&
		!apierrors.IsAlreadyExists(err) {
		return err
	}
	name, _, _ := unstructured.NestedString(b.claim.Object, "spec", "storageClassName")
	class, err := b.Client.Resource(classes).Get(ctx, name, v1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return errNoClass
	}
	if err != nil {
		return err
	}
	class.Object["metadata"] = object{"name": name}
	_, err = b.to.Resource(classes).Create(ctx, class, v1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// hash shows whether the claim has changed since an earlier migration.
func (b *bearer) hash() string {
	data, err := json.Marshal([]any{b.claim.Object["spec"], b.claim.GetLabels()})
	if err != nil {
		panic("a claim can always be encoded: " + err.Error())
	}
	h := fnv.New64a()
	h.Write(data)
	return fmt.Sprint(h.Sum64())
}

// remove deletes the old claim and waits for some time. A claim that a pod uses stays as Terminating.
func (b *bearer) remove(ctx context.Context) error {
	if err := b.there().Delete(ctx, b.claim.GetName(), v1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	for end := b.patience(ticksToDelete); time.Now().Before(end); {
		_, err := b.there().Get(ctx, b.claim.GetName(), v1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if !sleep(ctx, b.Tick) {
			return ctx.Err()
		}
	}
	return errInUse
}

// create creates the claim and its volume, with the policy Retain until settle.
func (b *bearer) create(ctx context.Context) error {
	pv, err := b.Client.Resource(volumes).Get(ctx, b.volume(), v1.GetOptions{})
	if err != nil {
		return err
	}
	spec, _ := pv.Object["spec"].(object)
	spec["persistentVolumeReclaimPolicy"] = "Retain"
	spec["claimRef"] = object{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": b.claim.GetNamespace(),
		"name": b.claim.GetName()}
	spec["hostPath"] = object{"path": filepath.Join(b.VolumeDir, b.volume()), "type": "Directory"}
	delete(spec, "nodeAffinity")
	if err := b.replaceVolume(ctx, b.stamped("PersistentVolume", "", b.volume(), spec, nil)); err != nil {
		return err
	}
	claim, _, _ := unstructured.NestedMap(b.claim.Object, "spec")
	_, err = b.there().Create(ctx,
		b.stamped("PersistentVolumeClaim", b.claim.GetNamespace(), b.claim.GetName(), claim, b.claim.GetLabels()),
		v1.CreateOptions{})
	return err
}

// settle waits until volume and claim are bound, and lets the volume be reclaimed as the source's may be.
func (b *bearer) settle(ctx context.Context) error {
	if err := b.awaitBound(ctx); err != nil {
		return err
	}
	pv, err := b.Client.Resource(volumes).Get(ctx, b.volume(), v1.GetOptions{})
	if err != nil {
		return err
	}
	policy, _, _ := unstructured.NestedString(pv.Object, "spec", "persistentVolumeReclaimPolicy")
	patch := fmt.Appendf(nil, `{"spec":{"persistentVolumeReclaimPolicy":%q}}`, policy)
	_, err = b.to.Resource(volumes).Patch(ctx, b.volume(), "application/merge-patch+json", patch, v1.PatchOptions{})
	return err
}

// replaceVolume replaces the old volume: its claim is gone, so it would never be bound again.
func (b *bearer) replaceVolume(ctx context.Context, pv *unstructured.Unstructured) error {
	err := b.to.Resource(volumes).Delete(ctx, pv.GetName(), v1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	return retry(ctx, func() error {
		_, err := b.to.Resource(volumes).Create(ctx, pv, v1.CreateOptions{})
		return err
	})
}

// stamped returns the object with the marks that the real controller puts on its copies.
func (b *bearer) stamped(kind, namespace, name string, spec object,
	labels map[string]string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: object{"apiVersion": "v1", "kind": kind, "metadata": object{"name": name},
		"spec": spec}}
	o.SetNamespace(namespace)
	o.SetLabels(labels)
	o.SetAnnotations(map[string]string{
		group + "/migrated":           "true",
		group + "/migrationName":      b.m.GetName(),
		group + "/migrationNamespace": b.m.GetNamespace(),
		group + "/migrationTime":      time.Now().UTC().Format("20060102150405"),
		hashAnnotation:                b.hash(),
		provisionedBy:                 Provisioner,
	})
	return o
}

// patience returns when a wait of the given number of ticks is over.
func (b *bearer) patience(ticks int) time.Time {
	return time.Now().Add(max(time.Duration(ticks)*b.Tick, leastPatience))
}

func (b *bearer) awaitBound(ctx context.Context) error {
	for end := b.patience(ticksToBind); time.Now().Before(end); {
		claim, err := b.there().Get(ctx, b.claim.GetName(), v1.GetOptions{})
		if err != nil {
			return err
		}
		if phase, _, _ := unstructured.NestedString(claim.Object, "status", "phase"); phase == "Bound" {
			return nil
		}
		if !sleep(ctx, b.Tick) {
			return ctx.Err()
		}
	}
	return errNeverBound
}
