package world

import (
	"sync"

	"github.com/sluice-cd/sluice"
)

// A Started watches which pods are started, by uid.
type Started struct {
	mu     sync.Mutex
	before map[string]bool
	since  map[string]bool
}

// Started starts to watch the namespace's pods with the labels, until the test ends.
func (w *World) Started(labels string) *Started {
	w.Helper()
	s := &Started{before: map[string]bool{}, since: map[string]bool{}}
	for _, pod := range w.List("Pod", labels) {
		s.before[pod.Text("metadata", "uid")] = true
	}
	w.Follow("Pod", labels, func(pod sluice.Object, _ bool) { s.see(pod.Text("metadata", "uid")) })
	return s
}

func (s *Started) see(uid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.before[uid] {
		s.since[uid] = true
	}
}

// Count returns how many pods were started since the watch began.
func (s *Started) Count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.since)
}
