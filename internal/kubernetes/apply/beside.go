package apply

import (
	"cmp"
	"context"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
	"github.com/sluice-cd/sluice/internal/kubernetes/traffic"
)

// Beside applies the canary as a paused Deployment, and then creates its ReplicaSet. A paused Deployment creates none
// itself, but scales the one with its template and counts the pods of it. So the ReplicaSet has the given name, and the
// release as hash of its template. If the call ends between the two writes, the next one makes the second.
//
// Without the right to create ReplicaSets the canary is not paused. Then its controller makes the ReplicaSet, under a
// name of its own.
//
// A canary that is being deleted is Unavailable: another call may succeed when it is gone.
func (w *Writer) Beside(
	ctx context.Context, canary sluice.Object, replicaSet string,
) (sluice.Object, sluice.Outcome, error) {
	ref := sluice.Ref{
		APIVersion: "apps/v1", Kind: "ReplicaSet", Namespace: canary.Text("metadata", "namespace"), Name: replicaSet,
	}
	set, err := w.client.Resolve(ctx, ref)
	if err != nil {
		return nil, "", err
	}
	var live sluice.Object
	if !w.informers.LacksReplicaSet(ref.Namespace, ref.Name) { // if it exists after all, its creation is refused
		if live, err = w.readOwned(ctx, set, canary); err != nil {
			return nil, "", err
		}
	}
	now, outcome, err := w.Apply(ctx, paused(canary), false)
	if sluice.ErrorCode(err) == sluice.Conflict { // its controller has numbered it
		now, outcome, err = w.Apply(ctx, paused(unnumbered(canary)), false)
	}
	if err != nil {
		return nil, "", err
	}
	if now.Field("metadata", "deletionTimestamp") != nil {
		return nil, "", beingDeleted(now.Ref())
	}
	if live != nil && isControlledBy(live, now) {
		return now, outcome, nil
	}
	err = w.createReplicaSet(ctx, set, now)
	if sluice.ErrorCode(err) == sluice.Denied {
		now, _, err = w.Apply(ctx, unnumbered(canary), false)
	}
	if err != nil {
		return nil, "", err
	}
	if outcome == sluice.Unchanged {
		outcome = sluice.Configured
	}
	return now, outcome, nil
}

func paused(canary sluice.Object) sluice.Object {
	canary = canary.Clone()
	canary.Set(true, "spec", "paused")
	return canary
}

// unnumbered returns the canary without the number of its version, which its controller then gives it.
func unnumbered(canary sluice.Object) sluice.Object {
	canary = canary.Clone()
	if annotations, ok := canary.Field("metadata", "annotations").(map[string]any); ok {
		delete(annotations, revision)
	}
	return canary
}

// readOwned returns the ReplicaSet, nil if there is none. One that belongs to another Deployment is a Conflict.
func (w *Writer) readOwned(ctx context.Context, set client.ObjectRef, canary sluice.Object) (sluice.Object, error) {
	live, err := w.informers.ReadLive(ctx, set)
	if sluice.ErrorCode(err) == sluice.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	owner, want := controllerOf(live), canary.Ref()
	if owner.Text("kind") == want.Kind && owner.Text("name") == want.Name {
		return live, nil
	}
	return nil, taken(live, canary)
}

// taken is the Conflict over a ReplicaSet that is not the canary's.
func taken(set, canary sluice.Object) error {
	whose := "nothing"
	if owner := controllerOf(set); owner != nil {
		whose = owner.Text("kind") + "/" + owner.Text("name")
	}
	ref := set.Ref()
	return sluice.Errorf(sluice.Conflict, "%s exists and belongs to %s, not to %s", ref, whose, canary.Ref()).
		WithHint("see what it is for, and delete it if nothing needs it: kubectl describe replicaset --namespace %s %s",
			ref.Namespace, ref.Name)
}

func beingDeleted(ref sluice.Ref) error {
	return sluice.Errorf(sluice.Unavailable, "%s is being deleted", ref).
		WithHint("see what holds it back: kubectl get %s --namespace %s %s -o yaml", strings.ToLower(ref.Kind),
			ref.Namespace, ref.Name)
}

// createReplicaSet creates the ReplicaSet of the canary as it is stored: admission may have changed its template.
func (w *Writer) createReplicaSet(ctx context.Context, ref client.ObjectRef, canary sluice.Object) error {
	options := metav1.CreateOptions{FieldManager: sluice.Manager}
	u, err := w.client.Objects(ref).Create(ctx, &unstructured.Unstructured{Object: replicaSetOf(canary, ref)}, options)
	if apierrors.IsAlreadyExists(err) {
		return w.existing(ctx, ref, canary)
	}
	if err != nil {
		return client.Wrap("create "+ref.String(), err)
	}
	w.informers.Saw(ref.Resource, u.Object)
	return nil
}

// existing decides about a ReplicaSet that exists where none should. The garbage collector deletes one of an earlier
// canary of the same name.
func (w *Writer) existing(ctx context.Context, ref client.ObjectRef, canary sluice.Object) error {
	live, err := w.readOwned(ctx, ref, canary)
	if err != nil || live != nil && isControlledBy(live, canary) {
		return err
	}
	return beingDeleted(ref.Ref)
}

// replicaSetOf returns the ReplicaSet that the controller of the Deployment would make, with the name of the reference
// and the release as hash. It has its size and annotations from the start, so that the controller has nothing to write.
// Its selector leaves out the release label: once it is stable, its pods may get the label of the next release, and it
// must not lose them.
func replicaSetOf(canary sluice.Object, ref client.ObjectRef) sluice.Object {
	canary = canary.Clone()
	owner := canary.Ref()
	set := sluice.Object{"apiVersion": ref.APIVersion, "kind": ref.Kind}
	set.Set(ref.Name, "metadata", "name")
	set.Set(ref.Namespace, "metadata", "namespace")
	set.Set([]any{map[string]any{
		"apiVersion": owner.APIVersion, "kind": owner.Kind, "name": owner.Name, "uid": canary.Text("metadata", "uid"),
		"controller": true, "blockOwnerDeletion": true,
	}}, "metadata", "ownerReferences")
	set.Set(canary.Clone().Field("spec", "template", "metadata", "labels"), "metadata", "labels")
	set.Set(annotationsOf(canary), "metadata", "annotations")
	for _, field := range []string{"minReadySeconds", "replicas", "selector", "template"} {
		if v := canary.Field("spec", field); v != nil {
			set.Set(v, "spec", field)
		}
	}
	hash := canary.Text("spec", "template", "metadata", "labels", sluice.ReleaseLabel)
	set.Set(hash, "metadata", "labels", traffic.HashLabel)
	set.Set(hash, "spec", "selector", "matchLabels", traffic.HashLabel)
	delete(set.Field("spec", "selector", "matchLabels").(map[string]any), sluice.ReleaseLabel)
	set.Set(hash, "spec", "template", "metadata", "labels", traffic.HashLabel)
	return set
}

// annotationsOf returns the annotations that the controller gives the first ReplicaSet of the Deployment: its own, but
// for those that only a Deployment has.
func annotationsOf(deployment sluice.Object) map[string]any {
	all := map[string]any{}
	own, _ := deployment.Field("metadata", "annotations").(map[string]any)
	for key, value := range own {
		if key != corev1.LastAppliedConfigAnnotation && !strings.HasPrefix(key, controllerPrefix) {
			all[key] = value
		}
	}
	all[revision] = cmp.Or(deployment.Text("metadata", "annotations", revision), "1")
	all[controllerPrefix+"desired-replicas"] = strconv.Itoa(deployment.Number(1, "spec", "replicas"))
	return all
}

const (
	controllerPrefix = "deployment.kubernetes.io/"
	revision         = controllerPrefix + "revision"
)

func isControlledBy(o, owner sluice.Object) bool {
	return controllerOf(o).Text("uid") == owner.Text("metadata", "uid")
}

// controllerOf returns the reference to the object's controller, nil if it has none.
func controllerOf(o sluice.Object) sluice.Object {
	for _, owner := range o.List("metadata", "ownerReferences") {
		if owner["controller"] == true {
			return owner
		}
	}
	return nil
}
