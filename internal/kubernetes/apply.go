package kubernetes

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/traffic"
)

// establishing bounds how long a kind may take to be served after its definition was written.
const establishing = 30 * time.Second

// attempts bounds how often a write is tried again because somebody wrote in between.
const attempts = 5

// Apply is a server-side apply under the name "sluice", without a request that writes where nothing would change.
//
// What somebody set through the scale subresource, as kubectl scale and autoscalers do, stays whatever count the
// object declares. An object that was made by kubectl apply is taken over from it the first time; later its changes
// are conflicts like those of anybody else. A dry run in a namespace that does not exist is NotFound.
func (a *Account) Apply(ctx context.Context, o sluice.Object, dryRun bool) (sluice.Object, sluice.Outcome, error) {
	ref := o.Ref()
	if ref.Name == "" {
		return nil, "", sluice.Errorf(sluice.Invalid, "a %s has no name", ref.Kind).WithHint("give it metadata.name")
	}
	r, err := a.mapper.find(ctx, ref.APIVersion, ref.Kind)
	if err != nil {
		return nil, "", err
	}
	w := application{account: a, resource: r, ref: ref, want: declared(o, r), dryRun: dryRun}
	now, outcome, err := w.run(ctx)
	if err != nil || dryRun {
		return now, outcome, err
	}
	if ref.Kind == "CustomResourceDefinition" && outcome != sluice.Unchanged {
		a.mapper.expect(now, time.Now().Add(establishing))
	}
	a.hub.saw(r, now)
	return now, outcome, nil
}

// declared returns what of the object is for whoever applies it to say, in the form in which the cluster keeps it.
func declared(o sluice.Object, r resource) sluice.Object {
	o = o.Clone()
	meta, _ := o["metadata"].(map[string]any)
	for _, field := range []string{"managedFields", "resourceVersion", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "selfLink"} {
		delete(meta, field)
	}
	namespace := o.Text("metadata", "namespace")
	delete(meta, "namespace")
	if r.namespaced {
		o.Set(orDefaultNamespace(namespace), "metadata", "namespace")
	}
	if r.has("status") {
		delete(o, "status")
	}
	if r.Group == "" && r.kind == "Secret" {
		foldSecret(o)
	}
	return o
}

// foldSecret moves stringData into data, where it can be compared and removed.
func foldSecret(o sluice.Object) {
	text, _ := o["stringData"].(map[string]any)
	delete(o, "stringData")
	for key, v := range text {
		s, _ := v.(string)
		o.Set(base64.StdEncoding.EncodeToString([]byte(s)), "data", key)
	}
}

// An application is one call of Apply.
type application struct {
	account  *Account
	resource resource
	ref      sluice.Ref
	want     sluice.Object
	dryRun   bool
}

func (w *application) run(ctx context.Context) (sluice.Object, sluice.Outcome, error) {
	for try := 1; ; try++ {
		live, err := w.account.read(ctx, w.resource, w.ref)
		if err != nil && sluice.ErrorCode(err) != sluice.NotFound {
			return nil, "", err
		}
		now, outcome, err := w.once(ctx, live)
		if try < attempts && isOverrun(err) {
			continue
		}
		return now, outcome, mapError("apply "+w.ref.String(), err)
	}
}

// isOverrun reports whether somebody else wrote the object between reading and writing it.
func isOverrun(err error) bool {
	s, ok := errors.AsType[*apierrors.StatusError](err)
	return ok && apierrors.IsConflict(err) && len(claims(s.Status())) == 0 && !isEnding(s.Status())
}

func (w *application) once(ctx context.Context, live sluice.Object) (sluice.Object, sluice.Outcome, error) {
	if live == nil {
		now, err := w.patch(ctx, w.want, "")
		return now, sluice.Created, err
	}
	want, err := traffic.Keep(withoutScaled(w.want, live), live)
	if err != nil {
		return nil, "", err
	}
	if isSurelySame(want, live) {
		return live, sluice.Unchanged, nil
	}
	replaced, err := w.adopt(ctx, live)
	if err != nil {
		return nil, "", err
	}
	now, err := w.patch(ctx, want, replaced)
	if err != nil {
		return nil, "", err
	}
	if isSameToUs(live, now) {
		return now, sluice.Unchanged, nil
	}
	return now, sluice.Configured, nil
}

// patch applies. Fields that nobody but Sluice under another name owns are taken, and those of the manager that it replaces.
func (w *application) patch(ctx context.Context, want sluice.Object, replaced string) (sluice.Object, error) {
	now, err := w.send(ctx, want, false)
	s, ok := errors.AsType[*apierrors.StatusError](err)
	if !ok || !mayForce(claims(s.Status()), replaced) {
		return now, err
	}
	return w.send(ctx, want, true)
}

func (w *application) send(ctx context.Context, want sluice.Object, force bool) (sluice.Object, error) {
	data, err := json.Marshal(want)
	if err != nil {
		return nil, err
	}
	options := metav1.PatchOptions{FieldManager: manager, Force: &force, FieldValidation: metav1.FieldValidationStrict}
	if w.dryRun {
		options.DryRun = []string{metav1.DryRunAll}
	}
	u, err := w.account.client(w.resource, w.ref.Namespace).Patch(ctx, w.ref.Name, types.ApplyPatchType, data, options)
	if isUnserved(err) {
		w.account.mapper.forget(w.ref.APIVersion)
		return nil, unknownKind(w.ref.APIVersion, w.ref.Kind)
	}
	if err != nil {
		return nil, err
	}
	return u.Object, nil
}

// isSame compares what is kept of two states of an object, apart from what the cluster counts and who owns what.
func isSame(a, b sluice.Object, r resource) bool {
	return isEqual(map[string]any(kept(a, r)), map[string]any(kept(b, r)))
}

func kept(o sluice.Object, r resource) sluice.Object {
	k := sluice.Object{}
	for key, v := range o {
		if key != "metadata" && (key != "status" || !r.has("status")) {
			k[key] = v
		}
	}
	meta, _ := o["metadata"].(map[string]any)
	for key, v := range meta {
		if key != "managedFields" && key != "resourceVersion" && key != "generation" {
			k.Set(v, "metadata", key)
		}
	}
	return k
}
