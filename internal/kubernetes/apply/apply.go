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
	"k8s.io/apimachinery/pkg/types"

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
)

// A Writer writes the objects of a cluster, on behalf of an application or of none. It is safe for concurrent use.
type Writer struct {
	client     *client.Client
	informers  *watch.Informers // learn of every write
	rehearsals *rehearsals
	writing    sluice.Writing
}

// NewWriter returns a writer that tells the informers of its writes.
func NewWriter(c *client.Client, i *watch.Informers) *Writer {
	return &Writer{client: c, informers: i, rehearsals: &rehearsals{last: map[sluice.Ref]rehearsal{}}}
}

// For returns a writer that writes on behalf of an application.
func (w *Writer) For(writing sluice.Writing) *Writer {
	return &Writer{client: w.client, informers: w.informers, rehearsals: w.rehearsals, writing: writing}
}

// manager is the name under which the writer applies objects.
func (w *Writer) manager() string { return sluice.ManagerOf(w.writing.Application) }

// Apply is a server-side apply under the application's name. It sends no write request if nothing would change. The
// outcome is Configured also if only the owners of fields change: the writer comes to own what it declares and others
// have set to the same value, and people's commands give up what they share with it.
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
	uid      string // that the object must have; "": any
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

// attempt applies the fields to the object as the shared watch knows it, on condition that it is still that object.
// Unless that wrote them, it reads the object and applies the fields to it, again if somebody else wrote the object in
// between.
func (w *Writer) attempt(ctx context.Context, r applyRequest) (sluice.Object, sluice.Outcome, error) {
	if now, outcome, err := w.applyToKnown(ctx, r); err == nil && now != nil {
		return now, outcome, nil
	}
	for try := 1; ; try++ {
		live, err := w.informers.ReadLive(ctx, r.ObjectRef)
		if err != nil && sluice.ErrorCode(err) != sluice.NotFound {
			return nil, "", err
		}
		now, outcome, err := w.applyOrRehearse(ctx, live, r)
		if isWriteConflict(err) && try < maxAttempts {
			continue
		}
		return now, outcome, client.Wrap("apply "+r.String(), err)
	}
}

// applyToKnown returns nil if the shared watch cannot tell, or knows the object as one that would not change: that
// alone is no proof. It also returns nil before the object is adopted. That is a write of its own, and a number of pods
// of 0 looks like one that a person keeps.
//
// What others have written since is no reason to refuse, because the API server merges: what they own with another
// value is a conflict. Only if what to apply follows from what the watch knew, the object must not have changed at all.
func (w *Writer) applyToKnown(ctx context.Context, r applyRequest) (sluice.Object, sluice.Outcome, error) {
	known, told := w.informers.Known(ctx, r.ObjectRef)
	switch {
	case !told || known != nil && w.adopted(known) != nil:
		return nil, "", nil
	case known == nil:
		return w.applyOrRehearse(ctx, nil, r)
	}
	want, changes, err := w.wanted(r, known)
	if err != nil || !changes {
		return nil, "", err
	}
	r.uid = known.Text("metadata", "uid")
	if !isEqual(map[string]any(want), map[string]any(r.declared)) {
		r.version = known.Text("metadata", "resourceVersion")
	}
	return w.applyOrRehearse(ctx, known, r)
}

func (w *Writer) applyOrRehearse(
	ctx context.Context, live sluice.Object, r applyRequest,
) (sluice.Object, sluice.Outcome, error) {
	if r.dryRun {
		return w.rehearse(ctx, live, r)
	}
	return w.applyTo(ctx, live, r)
}

// wanted returns the fields to apply to the live object, and whether that changes it.
func (w *Writer) wanted(r applyRequest, live sluice.Object) (want sluice.Object, changes bool, err error) {
	want, err = traffic.Keep(withoutScaled(r.declared, live), live)
	return want, err == nil && !(isApplied(want, live, w.manager()) && w.settled(live) == nil), err
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
		now, err := w.patch(ctx, r, r.declared, nil)
		return now, sluice.Created, err
	}
	want, changes, err := w.wanted(r, live)
	if err != nil {
		return nil, "", err
	}
	if !changes {
		return live, sluice.Unchanged, nil
	}
	if err := w.checkApplication(ctx, r, want, live); err != nil {
		return nil, "", err
	}
	adopted, err := w.adopt(ctx, live, r)
	if err != nil {
		return nil, "", err
	}
	now, err := w.patchStrategy(ctx, r, want, adopted)
	if err == nil {
		now, err = w.settle(ctx, now, r)
	}
	if err != nil {
		return nil, "", err
	}
	if isSameToUs(live, now, w.manager()) && w.ownsSame(live, now) && excluded(want, live) == "" {
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

// patch applies the fields to the live object, nil if there is none. It takes fields by force if all conflicts are with
// owners from which it may take them.
func (w *Writer) patch(ctx context.Context, r applyRequest, want, live sluice.Object) (sluice.Object, error) {
	now, err := w.send(ctx, r, want, live, false)
	s, ok := errors.AsType[*apierrors.StatusError](err)
	if !ok {
		return now, err
	}
	conflicts := client.FieldConflicts(s.Status())
	if len(conflicts) == 0 {
		return now, err
	}
	if refused := w.refused(conflicts, live); len(refused) > 0 {
		e := client.ConflictError(valued(refused, want, live))
		e.Op = "apply " + r.String()
		return nil, e
	}
	if slices.ContainsFunc(conflicts, func(c client.FieldConflict) bool { return client.IsHand(c.Manager) }) {
		want = want.Clone() // what a person sets after the object was read is not overwritten
		want.Set(live.Text("metadata", "resourceVersion"), "metadata", "resourceVersion")
	}
	return w.send(ctx, r, want, live, true)
}

// send sends the fields as a server-side apply.
func (w *Writer) send(
	ctx context.Context, r applyRequest, want, live sluice.Object, force bool,
) (sluice.Object, error) {
	want = want.Clone()
	for field, value := range map[string]string{"uid": r.uid, "resourceVersion": r.version} {
		if value != "" {
			want.Set(value, "metadata", field)
		}
	}
	data, err := json.Marshal(want)
	if err != nil {
		return nil, err
	}
	p := client.Patch{Type: types.ApplyPatchType, Data: data, Options: metav1.PatchOptions{
		FieldManager: w.manager(), Force: &force, FieldValidation: metav1.FieldValidationStrict,
	}}
	if r.dryRun {
		p.Options.DryRun = []string{metav1.DryRunAll}
		p.Options.FieldManager = managerIn(live, w.manager())
	}
	return w.client.Patch(ctx, r.ObjectRef, p)
}
