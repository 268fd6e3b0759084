// Package apply writes objects. It applies, restores, scales and deletes them, and tells those who watch. Start at
// [Writer.Apply], whose whole path is in one file, from the request to the outcome.
package apply

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/util/csaupgrade"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
	"github.com/sluice-cd/sluice/internal/kubernetes/traffic"
	"github.com/sluice-cd/sluice/internal/kubernetes/watch"
	"github.com/sluice-cd/sluice/internal/manifest"
)

const (
	// establishTimeout bounds how long a kind may take to be served after its definition was written.
	establishTimeout = 30 * time.Second
	// maxAttempts bounds how often a write is tried because somebody else wrote the object meanwhile.
	maxAttempts = 5
	// kubectlApply is the field manager of kubectl apply without --server-side.
	kubectlApply = "kubectl-client-side-apply"
)

// A Writer writes the objects of a cluster. It is safe for concurrent use.
type Writer struct {
	client    *client.Client
	informers *watch.Informers // learn of every write
}

// NewWriter returns a writer that tells the informers of its writes.
func NewWriter(c *client.Client, i *watch.Informers) *Writer { return &Writer{c, i} }

// Apply is a server-side apply under the name "sluice". It sends no write request if nothing would change.
//
// A number of replicas that somebody set through the scale subresource, as kubectl scale and autoscalers do, stays,
// whatever number the object declares. The first Apply takes an object over from kubectl apply. Later changes by
// kubectl apply are conflicts like those by anybody else. A dry run in a namespace that does not exist is NotFound.
func (w *Writer) Apply(ctx context.Context, o sluice.Object, dryRun bool) (sluice.Object, sluice.Outcome, error) {
	if o.Ref().Name == "" {
		return nil, "", sluice.Errorf(sluice.Invalid, "a %s has no name", o.Ref().Kind).WithHint("give it metadata.name")
	}
	ref, err := w.client.Resolve(ctx, o.Ref())
	if err != nil {
		return nil, "", err
	}
	r := applyRequest{ObjectRef: ref, declared: declaredFields(o, ref.Resource), dryRun: dryRun}
	now, outcome, err := w.attempt(ctx, r)
	if err != nil || dryRun {
		return now, outcome, err
	}
	if ref.Kind == "CustomResourceDefinition" && outcome != sluice.Unchanged {
		w.client.Expect(now, time.Now().Add(establishTimeout))
	}
	w.informers.Saw(ref.Resource, now)
	return now, outcome, nil
}

// An applyRequest is one call of Apply.
type applyRequest struct {
	client.ObjectRef
	declared sluice.Object // the fields that Sluice is to own
	dryRun   bool
	version  string // at which the object must still be; "": at any
}

// declaredFields returns the fields of the object that can be applied, in the form in which the cluster stores them.
func declaredFields(o sluice.Object, r client.Resource) sluice.Object {
	o = o.Clone()
	meta, _ := o["metadata"].(map[string]any)
	for _, field := range []string{
		"managedFields", "resourceVersion", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds",
		"generation", "selfLink",
	} {
		delete(meta, field)
	}
	namespace := o.Text("metadata", "namespace")
	delete(meta, "namespace")
	if r.Namespaced {
		o.Set(cmp.Or(namespace, metav1.NamespaceDefault), "metadata", "namespace")
	}
	if r.Has("status") {
		delete(o, "status")
	}
	if r.Group == "" && r.Kind == "Secret" {
		manifest.EncodeSecret(o) // fields of data can be compared and removed
	}
	return o
}

// attempt applies the fields to the object as the shared watch knows it, on condition that the object has not changed
// since. Unless that wrote them, it reads the object and applies the fields to it, again if somebody else wrote the
// object in between.
func (w *Writer) attempt(ctx context.Context, r applyRequest) (sluice.Object, sluice.Outcome, error) {
	if now, outcome, err := w.applyToKnown(ctx, r); err == nil && now != nil {
		return now, outcome, nil
	}
	for try := 1; ; try++ {
		live, err := w.informers.ReadLive(ctx, r.ObjectRef)
		if err != nil && sluice.ErrorCode(err) != sluice.NotFound {
			return nil, "", err
		}
		now, outcome, err := w.applyTo(ctx, live, r)
		if isWriteConflict(err) && try < maxAttempts {
			continue
		}
		return now, outcome, client.Wrap("apply "+r.String(), err)
	}
}

// applyToKnown returns nil if the shared watch does not know the object, or knows it as one that would not change: that
// alone is no proof.
func (w *Writer) applyToKnown(ctx context.Context, r applyRequest) (sluice.Object, sluice.Outcome, error) {
	known := w.informers.Known(r.ObjectRef)
	if known == nil {
		return nil, "", nil
	}
	if _, changes, err := r.on(known); err != nil || !changes {
		return nil, "", err
	}
	r.version = known.Text("metadata", "resourceVersion")
	return w.applyTo(ctx, known, r)
}

// on returns the fields to apply to the live object, and whether that changes it.
func (r applyRequest) on(live sluice.Object) (want sluice.Object, changes bool, err error) {
	want, err = traffic.Keep(withoutScaled(r.declared, live), live)
	return want, err == nil && !isApplied(want, live), err
}

// isWriteConflict reports whether somebody else wrote the object after it was read. A conflict over the owner of a
// field, or with the end of a namespace, does not pass.
func isWriteConflict(err error) bool {
	s, ok := errors.AsType[*apierrors.StatusError](err)
	return ok && apierrors.IsConflict(err) && len(client.FieldConflicts(s.Status())) == 0 &&
		!client.IsTerminating(s.Status())
}

// applyTo applies the fields to the live object, nil if there is none.
func (w *Writer) applyTo(
	ctx context.Context, live sluice.Object, r applyRequest,
) (sluice.Object, sluice.Outcome, error) {
	if live == nil {
		now, err := w.patch(ctx, r, r.declared, "")
		return now, sluice.Created, err
	}
	want, changes, err := r.on(live)
	if err != nil {
		return nil, "", err
	}
	if !changes {
		return live, sluice.Unchanged, nil
	}
	previous, err := w.adopt(ctx, live, r)
	if err != nil {
		return nil, "", err
	}
	now, err := w.patch(ctx, r, want, previous)
	if err != nil {
		return nil, "", err
	}
	if isSameToUs(live, now) {
		return now, sluice.Unchanged, nil
	}
	return now, sluice.Configured, nil
}

// withoutScaled removes the number of replicas from the fields if somebody set another one through the scale
// subresource. So a workload that is scaled by hand or automatically stays as it is.
func withoutScaled(want, live sluice.Object) sluice.Object {
	count := want.Field("spec", "replicas")
	if count == nil || isEqual(count, live.Field("spec", "replicas")) || !isScaledByOthers(live) {
		return want
	}
	want = want.Clone()
	delete(want["spec"].(map[string]any), "replicas")
	return want
}

// adopt gives Sluice the fields that kubectl apply owns, so that those that the object no longer declares are removed,
// as kubectl apply itself would do. It happens once, before Sluice first applies the object. It returns the manager
// whose fields may be taken by force, "" if there is none.
func (w *Writer) adopt(ctx context.Context, live sluice.Object, r applyRequest) (previous string, err error) {
	if appliedSet(live) != nil || entryOf(live, kubectlApply, "Update") == nil {
		return "", nil
	}
	if r.dryRun {
		return kubectlApply, nil
	}
	u := &unstructured.Unstructured{Object: live.Clone()}
	patch, err := csaupgrade.UpgradeManagedFieldsPatch(u, sets.New(kubectlApply), sluice.Manager)
	if err != nil || patch == nil {
		return kubectlApply, err
	}
	options := metav1.PatchOptions{FieldManager: sluice.Manager + "-adopt"}
	_, err = w.client.Patch(ctx, r.ObjectRef, client.Patch{Type: types.JSONPatchType, Data: patch, Options: options})
	return kubectlApply, err
}

// patch applies the fields. If they conflict only with Sluice under another name, or with the previous manager, it
// takes them by force.
func (w *Writer) patch(ctx context.Context, r applyRequest, want sluice.Object, before string) (sluice.Object, error) {
	if r.version != "" {
		want = want.Clone()
		want.Set(r.version, "metadata", "resourceVersion")
	}
	data, err := json.Marshal(want)
	if err != nil {
		return nil, err
	}
	force := false
	p := client.Patch{Type: types.ApplyPatchType, Data: data, Options: metav1.PatchOptions{
		FieldManager: sluice.Manager, Force: &force, FieldValidation: metav1.FieldValidationStrict,
	}}
	if r.dryRun {
		p.Options.DryRun = []string{metav1.DryRunAll}
	}
	now, err := w.client.Patch(ctx, r.ObjectRef, p)
	s, ok := errors.AsType[*apierrors.StatusError](err)
	if !ok || !mayForce(client.FieldConflicts(s.Status()), before) {
		return now, err
	}
	force = true
	return w.client.Patch(ctx, r.ObjectRef, p)
}

// mayForce reports whether there are conflicts, and only with Sluice under another name or the previous manager.
func mayForce(list []client.FieldConflict, previous string) bool {
	return len(list) > 0 && !slices.ContainsFunc(list, func(c client.FieldConflict) bool {
		return !client.IsOurs(c.Manager) && (previous == "" || c.Manager != previous)
	})
}
