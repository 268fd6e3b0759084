package world

import (
	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// A Lowest watches how many pods are ready and remembers the lowest number.
type Lowest struct {
	stop  func()
	ready map[string]bool
	count int
}

// Lowest starts to watch the namespace's pods with the labels. A pod that is being deleted does not count.
func (w *World) Lowest(labels string) *Lowest {
	w.Helper()
	l := &Lowest{ready: map[string]bool{}}
	for _, pod := range w.List("Pod", labels) {
		l.see(pod, false)
	}
	l.count = len(l.ready)
	l.stop = w.Follow("Pod", labels, func(pod sluice.Object, gone bool) {
		l.see(pod, gone)
		l.count = min(l.count, len(l.ready))
	})
	return l
}

func (l *Lowest) see(pod sluice.Object, gone bool) {
	name := pod.Text("metadata", "name")
	delete(l.ready, name)
	if !gone && pod.Text("metadata", "deletionTimestamp") == "" && manifest.Status(pod).Phase == manifest.Ready {
		l.ready[name] = true
	}
}

// Stop returns the lowest number.
func (l *Lowest) Stop() int {
	l.stop()
	return l.count
}
