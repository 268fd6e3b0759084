package world

import (
	"context"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/sluice-cd/sluice"
)

// Follow calls see with each object of the kind with the labels in the namespace, and again whenever one changes or is
// deleted, until stop is called or the test ends. see is not called after stop has returned.
func (w *World) Follow(kind, labels string, see func(o sluice.Object, gone bool)) (stop func()) {
	w.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	objects := w.of(kind, w.Namespace)
	list, err := objects.List(ctx, metav1.ListOptions{LabelSelector: labels})
	w.try(err)
	for _, o := range list.Items {
		see(o.Object, false)
	}
	watch, err := objects.Watch(ctx, metav1.ListOptions{LabelSelector: labels, ResourceVersion: list.GetResourceVersion()})
	w.try(err)
	var done sync.WaitGroup
	done.Go(func() {
		for e := range watch.ResultChan() {
			if u, ok := e.Object.(*unstructured.Unstructured); ok {
				see(u.Object, e.Type == apiwatch.Deleted)
			}
		}
		if ctx.Err() == nil {
			w.Errorf("the watch of every %s ended too early", kind)
		}
	})
	stop = func() { cancel(); done.Wait() }
	w.Cleanup(stop)
	return stop
}

// Ask calls a pod's port 8080 through the API server and returns the answer's text.
func (w *World) Ask(pod, path string) (string, error) {
	data, err := w.proxy(w.Namespace, pod, path)
	return string(data), err
}
