package world

import (
	"context"
	"fmt"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// A Lowest watches how many pods are ready, and remembers the lowest number that there ever was.
type Lowest struct {
	world *World
	stop  context.CancelFunc
	done  sync.WaitGroup
	ready map[string]bool
	count int
	err   error
}

// Lowest begins to watch the namespace's pods with the labels. A pod that is ending does not count.
func (w *World) Lowest(labels string) *Lowest {
	w.Helper()
	ctx, stop := context.WithCancel(context.Background())
	l := &Lowest{world: w, stop: stop, ready: map[string]bool{}}
	pods := w.of("Pod", w.Namespace)
	list, err := pods.List(ctx, metav1.ListOptions{LabelSelector: labels})
	w.try(err)
	for _, p := range list.Items {
		l.see(p.Object, false)
	}
	l.count = len(l.ready)
	watch, err := pods.Watch(ctx, metav1.ListOptions{LabelSelector: labels, ResourceVersion: list.GetResourceVersion()})
	w.try(err)
	w.Cleanup(func() { stop(); l.done.Wait() })
	l.done.Go(func() {
		for e := range watch.ResultChan() {
			u, ok := e.Object.(*unstructured.Unstructured)
			if !ok {
				if ctx.Err() == nil {
					l.err = fmt.Errorf("watch the pods: %v", e.Object)
				}
				return
			}
			l.see(u.Object, e.Type == apiwatch.Deleted)
			l.count = min(l.count, len(l.ready))
		}
	})
	return l
}

func (l *Lowest) see(pod sluice.Object, deleted bool) {
	name := pod.Text("metadata", "name")
	delete(l.ready, name)
	if !deleted && pod.Text("metadata", "deletionTimestamp") == "" && manifest.Status(pod).Phase == manifest.Ready {
		l.ready[name] = true
	}
}

// Stop returns the lowest number.
func (l *Lowest) Stop() int {
	l.world.Helper()
	l.stop()
	l.done.Wait()
	l.world.try(l.err)
	return l.count
}
