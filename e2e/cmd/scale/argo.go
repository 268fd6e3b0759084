package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
)

var rolloutKind = schema.GroupVersionResource{Group: "argoproj.io", Version: "v1alpha1", Resource: "rollouts"}

// byArgo releases with Argo Rollouts, whose controller the cluster must run.
func byArgo(ctx context.Context, f *field, m *measurement) error {
	client, err := dynamic.NewForConfig(f.config)
	if err != nil {
		return err
	}
	r := rollouts{f, client.Resource(rolloutKind).Namespace(f.namespace)}
	err = r.write(ctx, "image:1", func(ctx context.Context, name string) error {
		_, err := r.objects.Create(ctx, &unstructured.Unstructured{Object: rollout(name, f.replicas)}, metav1.CreateOptions{})
		return err
	})
	if err != nil {
		return err
	}
	m.pods, err = f.started(ctx, func() error {
		begun := time.Now()
		err := r.write(ctx, "image:2", func(ctx context.Context, name string) error {
			patch := []byte(`[{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"image:2"}]`)
			_, err := r.objects.Patch(ctx, name, types.JSONPatchType, patch, metav1.PatchOptions{})
			return err
		})
		m.canary = time.Since(begun)
		return err
	})
	return err
}

// rollouts are those of a field.
type rollouts struct {
	*field
	objects dynamic.ResourceInterface
}

// write writes every Rollout and waits until each has settled with the image.
func (r rollouts) write(ctx context.Context, image string, write func(ctx context.Context, name string) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(1 + writers) // and await
	g.Go(func() error { return r.await(ctx, image) })
	for i := range r.n {
		g.Go(func() error { return write(ctx, fmt.Sprintf("rollout-%d", i)) })
	}
	return g.Wait()
}

func (r rollouts) await(ctx context.Context, image string) error {
	settled := map[string]bool{}
	all := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			return r.objects.List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			return r.objects.Watch(ctx, o)
		},
	}
	_, err := watchtools.UntilWithSync(ctx, all, &unstructured.Unstructured{}, nil, func(e watch.Event) (bool, error) {
		o, ok := e.Object.(*unstructured.Unstructured)
		if ok && hasSettled(o.Object, image, r.replicas) {
			settled[o.GetName()] = true
		}
		return len(settled) == r.n, nil
	})
	if err != nil {
		return errors.Join(fmt.Errorf("%d of %d Rollouts have %s", len(settled), r.n, image), err)
	}
	return nil
}

// hasSettled reports whether the Rollout runs the image in all its pods and in no others.
func hasSettled(o map[string]any, image string, replicas int) bool {
	text := func(path ...string) string {
		s, _, _ := unstructured.NestedString(o, path...)
		return s
	}
	number := func(path ...string) int64 {
		n, _, _ := unstructured.NestedInt64(o, path...)
		return n
	}
	containers, _, _ := unstructured.NestedSlice(o, "spec", "template", "spec", "containers")
	if len(containers) != 1 || containers[0].(map[string]any)["image"] != image {
		return false
	}
	want := int64(replicas)
	return text("status", "observedGeneration") == strconv.FormatInt(number("metadata", "generation"), 10) &&
		text("status", "phase") == "Healthy" && text("status", "currentPodHash") == text("status", "stableRS") &&
		number("status", "updatedReplicas") == want && number("status", "availableReplicas") == want &&
		number("status", "replicas") == want
}

// rollout is a canary with the same steps as those of Sluice.
func rollout(name string, replicas int) map[string]any {
	labels := map[string]any{"app": name}
	var list []any
	for _, weight := range weights(steps) {
		list = append(list, map[string]any{"setWeight": int64(weight)})
	}
	return map[string]any{
		"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": map[string]any{"name": name},
		"spec": map[string]any{
			"replicas": int64(replicas), "selector": map[string]any{"matchLabels": labels},
			"strategy": map[string]any{"canary": map[string]any{"steps": list}},
			"template": map[string]any{
				"metadata": map[string]any{"labels": labels},
				"spec":     map[string]any{"containers": []any{map[string]any{"name": "main", "image": "image:1"}}},
			},
		},
	}
}
