package world

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// manager is the field manager of the tests, as unrelated to Sluice as a person with kubectl.
const manager = "kubectl"

func unstructuredOf(o map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: o}
}

// of returns the objects of the kind, which may be written Kind or Kind.group.
func (w *World) of(kind, namespace string) dynamic.ResourceInterface {
	w.Helper()
	mapping, err := w.mapping(kind)
	w.try(err)
	if mapping.Scope.Name() == meta.RESTScopeNameRoot {
		return w.client.Resource(mapping.Resource)
	}
	return w.client.Resource(mapping.Resource).Namespace(namespace)
}

// groups are those of the kinds whose group need not be written.
var groups = map[string]string{
	"Deployment": "apps", "StatefulSet": "apps", "DaemonSet": "apps", "ReplicaSet": "apps", "ControllerRevision": "apps",
	"Job": "batch", "HorizontalPodAutoscaler": "autoscaling", "PodDisruptionBudget": "policy",
	"HTTPRoute": "gateway.networking.k8s.io", "GRPCRoute": "gateway.networking.k8s.io",
}

func (w *World) mapping(kind string) (*meta.RESTMapping, error) {
	name, group, _ := strings.Cut(kind, ".")
	if group == "" {
		group = groups[name]
	}
	of := schema.GroupKind{Group: group, Kind: name}
	mapping, err := w.mapper.RESTMapping(of)
	if !meta.IsNoMatchError(err) {
		return mapping, err
	}
	w.mapper.Reset() // its definition may be newer than the cached list
	return w.mapper.RESTMapping(of)
}

// Put applies objects, YAML documents, as somebody other than Sluice.
func (w *World) Put(text string) {
	w.Helper()
	w.PutAs(manager, text)
}

// PutAs is Put as the manager of that name.
func (w *World) PutAs(manager, text string) {
	w.Helper()
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(w.fill(text)), 4096)
	for {
		var o map[string]any
		err := decoder.Decode(&o)
		if errors.Is(err, io.EOF) {
			return
		}
		w.try(err)
		if o == nil {
			continue
		}
		u := unstructuredOf(o)
		kind := u.GetKind()
		if g := u.GroupVersionKind().Group; g != "" {
			kind += "." + g
		}
		_, err = w.of(kind, w.Namespace).Apply(w.Context(), u.GetName(), u,
			metav1.ApplyOptions{FieldManager: manager, Force: true})
		w.try(err)
	}
}

// Get returns an object of the namespace.
func (w *World) Get(kind, name string) sluice.Object {
	w.Helper()
	u, err := w.of(kind, w.Namespace).Get(w.Context(), name, metav1.GetOptions{})
	w.try(err)
	return u.Object
}

// There reports whether the object exists in the namespace.
func (w *World) There(kind, name string) bool {
	w.Helper()
	return w.there(kind, w.Namespace, name)
}

func (w *World) there(kind, namespace, name string) bool {
	w.Helper()
	_, err := w.of(kind, namespace).Get(w.Context(), name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false
	}
	w.try(err)
	return true
}

// List returns the namespace's objects of the kind with the labels, "" for all.
func (w *World) List(kind, labels string) []sluice.Object {
	w.Helper()
	list, err := w.of(kind, w.Namespace).List(w.Context(), metav1.ListOptions{LabelSelector: labels})
	w.try(err)
	var all []sluice.Object
	for _, u := range list.Items {
		all = append(all, u.Object)
	}
	return all
}

// Patch applies a merge patch to an object, such as {"spec": {"replicas": 5}}.
func (w *World) Patch(kind, name, patch string, subresources ...string) {
	w.Helper()
	data, err := yaml.ToJSON([]byte(patch))
	w.try(err)
	_, err = w.of(kind, w.Namespace).Patch(w.Context(), name, types.MergePatchType, data,
		metav1.PatchOptions{FieldManager: manager}, subresources...)
	w.try(err)
}

// Scale does what kubectl scale and an autoscaler do.
func (w *World) Scale(kind, name string, replicas int) {
	w.Helper()
	data, err := json.Marshal(map[string]any{"spec": map[string]any{"replicas": replicas}})
	w.try(err)
	w.Patch(kind, name, string(data), "scale")
}

// Delete deletes an object and returns when it is gone.
func (w *World) Delete(kind, name string) {
	w.Helper()
	foreground := metav1.DeletePropagationForeground
	err := w.of(kind, w.Namespace).Delete(w.Context(), name, metav1.DeleteOptions{PropagationPolicy: &foreground})
	w.try(err)
	w.Await(kind+"/"+name+" to go", func() bool { return !w.There(kind, name) })
}

// Kill ends a pod at once and deletes it, as kill -9 of its processes would. A pod that is gone stays gone.
func (w *World) Kill(pod string) {
	w.Helper()
	err := w.of("Pod", w.Namespace).Delete(w.Context(), pod, metav1.DeleteOptions{GracePeriodSeconds: new(int64)})
	if !apierrors.IsNotFound(err) {
		w.try(err)
	}
}

// Ready waits at most two minutes until the object is ready.
func (w *World) Ready(kind, name string) {
	w.Helper()
	w.Until(kind, name, "ready", func(o sluice.Object) bool { return manifest.Status(o).Phase == manifest.Ready })
}

// Until watches the object for at most two minutes until the condition holds.
func (w *World) Until(kind, name, so string, is func(sluice.Object) bool) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), 2*time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		found, err := w.watch(ctx, kind, name, is)
		if found {
			return
		}
		if err != nil && ctx.Err() == nil {
			w.Fatalf("watch %s/%s: %v", kind, name, err)
		}
	}
	w.Fatalf("%s/%s is not %s in time", kind, name, so)
}

// watch begins with what is there now: a watch without a version may begin with a state from before the last write.
func (w *World) watch(ctx context.Context, kind, name string, is func(sluice.Object) bool) (bool, error) {
	only := metav1.ListOptions{FieldSelector: "metadata.name=" + name}
	list, err := w.of(kind, w.Namespace).List(ctx, only)
	if err != nil {
		return false, err
	}
	for _, u := range list.Items {
		if is(u.Object) {
			return true, nil
		}
	}
	only.ResourceVersion = list.GetResourceVersion()
	watch, err := w.of(kind, w.Namespace).Watch(ctx, only)
	if err != nil {
		return false, err
	}
	defer watch.Stop()
	for e := range watch.ResultChan() {
		if u, ok := e.Object.(*unstructured.Unstructured); ok && is(u.Object) {
			return true, nil
		}
	}
	return false, nil
}
