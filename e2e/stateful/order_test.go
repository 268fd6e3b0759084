package stateful_test

import (
	"maps"
	"slices"
	"sync"

	"github.com/sluice-cd/sluice"
)

// An order watches pods. It remembers in which order they became ready in a new version, and how many were missing at
// the same time.
type order struct {
	mu      sync.Mutex
	ready   map[string]bool   // by pod
	is      map[string]string // the version in which it was last ready, by pod
	changed []string          // as pod=version
	missing int               // the largest number
}

// order starts to watch the pods with the label, which are all ready.
func (s store) order(label string) *order {
	s.Helper()
	o := &order{ready: map[string]bool{}, is: map[string]string{}}
	s.Follow("Pod", label, o.see)
	return o
}

func (o *order) see(pod sluice.Object, gone bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	name := pod.Text("metadata", "name")
	ready := !gone && isReady(pod)
	o.ready[name] = ready
	missing := 0
	for r := range maps.Values(o.ready) {
		if !r {
			missing++
		}
	}
	o.missing = max(o.missing, missing)
	v := version(pod)
	if !ready || o.is[name] == v {
		return
	}
	if o.is[name] != "" {
		o.changed = append(o.changed, name+"="+v)
	}
	o.is[name] = v
}

// of returns the pods in the order in which they got the version.
func (o *order) of(version string) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var pods []string
	for _, c := range o.changed {
		if n := len(c) - len(version) - 1; c[n:] == "="+version {
			pods = append(pods, c[:n])
		}
	}
	return pods
}

// expect fails unless the pods got the version in this order, one at a time.
func (o *order) expect(s store, version string, want ...string) {
	s.Helper()
	if got := o.of(version); !slices.Equal(got, want) {
		s.Errorf("the pods came to %s in the order %v, want %v", version, got, want)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.missing > 1 {
		s.Errorf("%d pods were missing at a time", o.missing)
	}
}
