package stateful_test

import (
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
)

// A StatefulSet whose pods take a while to be ready changes and goes back: each pod is made once each way.
func TestEachPodIsReplacedOnce(t *testing.T) {
	t.Parallel()
	for name, update := range map[string]string{"RollingUpdate": "{type: RollingUpdate}", "OnDelete": "{type: OnDelete}"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t, gated)
			s.Value("Update", update)
			s.Value("Delay", "2")
			s.installed()
			before, made := s.Snapshot(), s.made("app=store")
			s.release("v2")
			s.thereAndBack()
			s.expect("v1 v1 v1")
			for pod, n := range made() {
				if n != 3 {
					t.Errorf("%s was made %d times, want the one before, the new one and the old one", pod, n)
				}
			}
			s.Unchanged(before)
		})
	}
}

// A release that is undone half way makes only the pods anew that it had replaced, each once.
func TestUndoHalfWayReplacesEachPodOnce(t *testing.T) {
	t.Parallel()
	for name, values := range map[string][2]string{
		"RollingUpdate":                  {"{type: RollingUpdate}", "{}"},
		"OnDelete":                       {"{type: OnDelete}", "{}"},
		"a primary without any strategy": {"", "{sluice-cd.github.io/primary: role=primary}"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t, gated)
			s.Value("Update", values[0])
			s.Value("Annotations", values[1])
			s.installed()
			s.Patch("Pod", "store-1", `{"metadata": {"labels": {"role": "primary"}}}`)
			before, made := s.Snapshot(), s.made("app=store")
			s.release("v2")
			p := s.Start("run", "-f", "deploy.yaml")
			p.Await(waits("production/canary/1"))
			s.expect("v1 v1 v2")
			s.must("reject")
			r := s.RollsBack(p)
			s.Logf("took %s\n%s", r.Took, r.Story())
			s.expect("v1 v1 v1")
			want := map[string]int{"store-0": 1, "store-1": 1, "store-2": 3}
			if diff := cmp.Diff(want, made()); diff != "" {
				t.Errorf("pods that were made (-want +got):\n%s", diff)
			}
			s.Unchanged(before)
		})
	}
}

// thereAndBack lets the release change every pod, then rejects it.
func (s store) thereAndBack() {
	s.Helper()
	p := s.Start("run", "-f", "deploy.yaml")
	for _, gate := range []sluice.StepID{"production/canary/1", "production/canary/3"} {
		p.Await(waits(gate))
		s.approve()
	}
	p.Await(waits("production/canary/5"))
	s.must("reject")
	r := s.RollsBack(p)
	s.Logf("took %s\n%s", r.Took, r.Story())
}

// made counts, from now on, how many pods of each name there were.
func (s store) made(label string) (counts func() map[string]int) {
	s.Helper()
	var mu sync.Mutex
	seen, n := map[string]bool{}, map[string]int{}
	s.Follow("Pod", label, func(pod sluice.Object, _ bool) {
		mu.Lock()
		defer mu.Unlock()
		if uid := pod.Text("metadata", "uid"); !seen[uid] {
			seen[uid] = true
			n[pod.Text("metadata", "name")]++
		}
	})
	return func() map[string]int {
		mu.Lock()
		defer mu.Unlock()
		return n
	}
}
