package stateful_test

import (
	"testing"

	"github.com/sluice-cd/sluice"
)

// Somebody else takes one of our fields while the rollout waits, so its next write is a conflict.
func TestSomebodyElseWritesInMidRollout(t *testing.T) {
	t.Parallel()
	s := newStore(t, gated)
	s.installed()
	before := s.Snapshot()
	s.release("v2")
	p := s.Start("run", "-f", "deploy.yaml")
	p.Await(waits("production/canary/1"))
	s.Patch("StatefulSet", "store", `{"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 7}}}}`)
	s.approve()
	r := p.Wait()
	t.Logf("%s\n%s", r.Outcome, r.Story())
	says(t, r.Failures["production/canary/2"].Message, "StatefulSet/store", "terminationGracePeriodSeconds", `"kubectl"`)
	says(t, r.Story(), "StatefulSet/store")
	if got := s.Get("StatefulSet", "store").Number(0, "spec", "template", "spec",
		"terminationGracePeriodSeconds"); got != 7 {
		t.Errorf("their value is %d now", got)
	}
	s.but(before, func(o sluice.Object) { o.Set(int64(7), "spec", "template", "spec", "terminationGracePeriodSeconds") })
}

// Somebody else takes one of our fields just before the undo.
func TestSomebodyElseWritesBeforeUndo(t *testing.T) {
	t.Parallel()
	s := newStore(t, gated)
	s.installed()
	before := s.Snapshot()
	s.release("v2")
	p := s.Start("run", "-f", "deploy.yaml")
	p.Await(waits("production/canary/1"))
	s.Patch("ConfigMap", "store", `{"data": {"version": "theirs"}}`)
	s.must("reject")
	r := p.Wait()
	t.Logf("%s\n%s", r.Outcome, r.Story())
	says(t, r.Story(), "ConfigMap/store", `"kubectl"`)
	if got := s.Get("ConfigMap", "store").Text("data", "version"); got != "theirs" {
		t.Errorf("their value is %q now", got)
	}
	s.expect("v1 v1 v1")
	s.Unchanged(before, "ConfigMap/store")
}

// Somebody else owns one of our fields from the beginning, so nothing is changed.
func TestSomebodyElseWroteBefore(t *testing.T) {
	t.Parallel()
	s := newStore(t, gated)
	s.installed()
	s.Patch("ConfigMap", "store", `{"data": {"version": "theirs"}}`)
	before := s.Snapshot()
	s.release("v2")
	p := s.Start("run", "-f", "deploy.yaml")
	r := p.Wait()
	says(t, r.Story(), "ConfigMap/store", "field .data.version", `"kubectl"`)
	if r.Status == 0 {
		t.Error("it succeeded")
	}
	s.expect("v1 v1 v1")
	s.Unchanged(before)
}

// but fails unless the namespace is as before, except for what change does to the StatefulSet.
func (s store) but(before map[string]any, change func(sluice.Object)) {
	s.Helper()
	want := before["StatefulSet/store"].(sluice.Object).Clone()
	change(want)
	now := s.Snapshot()
	if is := now["StatefulSet/store"].(sluice.Object); !equal(want, is) {
		s.Errorf("the StatefulSet is %v, want %v", is, want)
	}
	s.Unchanged(before, append(podsIn(before, now), "StatefulSet/store")...)
}
