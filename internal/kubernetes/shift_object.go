package kubernetes

import (
	"context"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/traffic"
)

// trafficManager is the name under which divisions are written.
const trafficManager = "sluice-traffic"

// changeAttempts bounds how often a change is computed anew because somebody else wrote first.
const changeAttempts = 5

// A place is where one object is.
type place struct {
	resource resource
	ref      sluice.Ref
}

// locate returns the object's place under the first of the versions that the cluster serves.
func (a *Account) locate(ctx context.Context, kind, namespace, name string, versions ...string) (place, error) {
	var first error
	for _, v := range versions {
		r, err := a.mapper.find(ctx, v, kind)
		if err == nil {
			return place{r, sluice.Ref{APIVersion: v, Kind: kind, Namespace: namespace, Name: name}}, nil
		}
		if sluice.ErrorCode(err) != sluice.Unsupported {
			return place{}, err
		}
		if first == nil {
			first = err
		}
	}
	return place{}, first
}

// change reads the object and writes what is to become of it, if that differs; anew where somebody else wrote meanwhile.
func (a *Account) change(ctx context.Context, at place, become func(sluice.Object) (sluice.Object, error)) (sluice.Object, bool, error) {
	for attempt := 1; ; attempt++ {
		now, err := a.read(ctx, at.resource, at.ref)
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
		o, err := a.patch(ctx, at, now, patch)
		if apierrors.IsConflict(err) && attempt < changeAttempts {
			continue
		}
		return o, err == nil, mapError("divide the traffic of "+at.ref.String(), err)
	}
}

// patch writes a merge patch that is about the object as it was read, and no other. Its errors are the cluster's.
func (a *Account) patch(ctx context.Context, at place, was sluice.Object, patch sluice.Object) (sluice.Object, error) {
	patch.Set(was.Text("metadata", "resourceVersion"), "metadata", "resourceVersion")
	data, err := json.Marshal(patch)
	if err != nil {
		return nil, err
	}
	u, err := a.client(at.resource, at.ref.Namespace).Patch(ctx, at.ref.Name, types.MergePatchType, data, metav1.PatchOptions{FieldManager: trafficManager})
	if err != nil {
		return nil, err
	}
	return u.Object, nil
}

func (a *Account) create(ctx context.Context, at place, o sluice.Object) (sluice.Object, error) {
	u, err := a.client(at.resource, at.ref.Namespace).Create(ctx, &unstructured.Unstructured{Object: o}, metav1.CreateOptions{FieldManager: trafficManager})
	if err != nil {
		return nil, mapError("create "+at.ref.String(), err)
	}
	return u.Object, nil
}

// remove deletes this very object, not what came after it under its name.
func (a *Account) remove(ctx context.Context, at place, o sluice.Object) error {
	uid := types.UID(o.Text("metadata", "uid"))
	err := a.client(at.resource, at.ref.Namespace).Delete(ctx, at.ref.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return mapError("delete "+at.ref.String(), err)
}

// selected lists the objects with the labels.
func (a *Account) selected(ctx context.Context, groupVersion, plural, namespace string, selector map[string]string) ([]sluice.Object, error) {
	var list struct {
		Items []sluice.Object `json:"items"`
	}
	err := a.call(ctx, request{op: "list " + plural, path: namespaced(groupVersion, namespace, plural), query: url.Values{"labelSelector": {formatted(selector)}}, into: &list})
	return list.Items, err
}

func selectorOf(workload sluice.Object) map[string]string {
	labels, _ := workload.Field("spec", "selector", "matchLabels").(map[string]any)
	all := map[string]string{}
	for k, v := range labels {
		if s, ok := v.(string); ok {
			all[k] = s
		}
	}
	return all
}

func formatted(labels map[string]string) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		parts = append(parts, k+"="+labels[k])
	}
	return strings.Join(parts, ",")
}

// isAbsent reports whether there is nothing to put back: no such object, or not even such a kind.
func isAbsent(err error) bool {
	c := sluice.ErrorCode(err)
	return c == sluice.NotFound || c == sluice.Unsupported
}
