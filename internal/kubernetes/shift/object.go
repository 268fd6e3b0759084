package shift

import (
	"context"
	"encoding/json"
	"net/url"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
	"github.com/sluice-cd/sluice/internal/kubernetes/pod"
	"github.com/sluice-cd/sluice/internal/kubernetes/traffic"
)

// fieldManager is the name under which divisions are written.
const fieldManager = sluice.Manager + "-traffic"

// maxAttempts bounds how often a change is computed because somebody else wrote the object meanwhile.
const maxAttempts = 5

// locate returns the reference to an object of the namespace, in the first of the versions that the cluster serves.
func (d division) locate(ctx context.Context, kind, name string, versions ...string) (client.ObjectRef, error) {
	var first error
	for _, v := range versions {
		ref := sluice.Ref{APIVersion: v, Kind: kind, Namespace: d.Namespace, Name: name}
		o, err := d.client.Resolve(ctx, ref)
		if err == nil || sluice.ErrorCode(err) != sluice.Unsupported {
			return o, err
		}
		if first == nil {
			first = err
		}
	}
	return client.ObjectRef{}, first
}

// read returns an object of the namespace.
func (d division) read(ctx context.Context, apiVersion, kind, name string) (sluice.Object, error) {
	ref, err := d.locate(ctx, kind, name, apiVersion)
	if err != nil {
		return nil, err
	}
	return d.informers.Read(ctx, ref)
}

// pods returns the pods of the namespace that have the labels.
func (d division) pods(ctx context.Context, selector map[string]string) ([]sluice.Object, error) {
	all, err := d.informers.Pods(ctx, d.Namespace)
	return selected(all, selector), err
}

// selected returns those of the pods that have the labels, with what decides whether they get traffic.
func selected(pods []*pod.Pod, selector map[string]string) []sluice.Object {
	want := labels.SelectorFromSet(selector)
	var list []sluice.Object
	for _, p := range pods {
		if want.Matches(labels.Set(p.Metadata.Labels)) {
			list = append(list, p.Object())
		}
	}
	return list
}

// list returns the objects of the namespace with the labels.
func (d division) list(
	ctx context.Context, groupVersion, plural string, selector map[string]string,
) ([]sluice.Object, error) {
	var list client.List[sluice.Object]
	err := d.client.Call(ctx, client.Request{
		Op: "list " + plural, Path: client.Path(groupVersion, d.Namespace, plural),
		Query: url.Values{"labelSelector": {labels.Set(selector).String()}}, Into: &list,
	})
	return list.Items, err
}

// A mutation returns what becomes of an object.
type mutation func(now sluice.Object) (sluice.Object, error)

// change reads the object and writes what becomes of it, if that differs. It starts over if somebody else wrote the
// object meanwhile. It reports whether it wrote.
func (d division) change(ctx context.Context, ref client.ObjectRef, become mutation) (sluice.Object, bool, error) {
	for attempt := 1; ; attempt++ {
		now, err := d.informers.ReadLive(ctx, ref)
		if err != nil {
			return nil, false, err
		}
		will, err := become(now)
		if err != nil {
			return nil, false, err
		}
		patch := traffic.Difference(now, will)
		if patch == nil {
			return now, false, nil
		}
		o, err := d.patch(ctx, ref, now, patch)
		if apierrors.IsConflict(err) && attempt < maxAttempts {
			continue
		}
		if err == nil {
			d.informers.Saw(ref.Resource, o)
		}
		return o, err == nil, client.Wrap("divide the traffic of "+ref.String(), err)
	}
}

// patch writes a merge patch of the object as it was read. Its errors are those of the API server.
func (d division) patch(ctx context.Context, ref client.ObjectRef, was, patch sluice.Object) (sluice.Object, error) {
	patch.Set(was.Text("metadata", "resourceVersion"), "metadata", "resourceVersion")
	data, err := json.Marshal(patch)
	if err != nil {
		return nil, err
	}
	options := metav1.PatchOptions{FieldManager: fieldManager}
	return d.client.Patch(ctx, ref, client.Patch{Type: types.MergePatchType, Data: data, Options: options})
}

func (d division) create(ctx context.Context, ref client.ObjectRef, o sluice.Object) (sluice.Object, error) {
	options := metav1.CreateOptions{FieldManager: fieldManager}
	u, err := d.client.Objects(ref).Create(ctx, &unstructured.Unstructured{Object: o}, options)
	if err != nil {
		return nil, client.Wrap("create "+ref.String(), err)
	}
	d.informers.Saw(ref.Resource, u.Object)
	return u.Object, nil
}

// remove deletes this object, and not a later one of its name.
func (d division) remove(ctx context.Context, ref client.ObjectRef, o sluice.Object) error {
	uid := types.UID(o.Text("metadata", "uid"))
	options := metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}}
	err := d.client.Objects(ref).Delete(ctx, ref.Name, options)
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return client.Wrap("delete "+ref.String(), err)
	}
	d.informers.Gone(ref.Resource, o)
	return nil
}

func selectorOf(workload sluice.Object) map[string]string {
	return traffic.Labels(workload.Field("spec", "selector", "matchLabels"))
}

// ignoreAbsent returns nil if there is nothing to put back, because the object or even its kind does not exist.
func ignoreAbsent(err error) error {
	if c := sluice.ErrorCode(err); c == sluice.NotFound || c == sluice.Unsupported {
		return nil
	}
	return err
}
