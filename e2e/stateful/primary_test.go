package stateful_test

import (
	"testing"
)

func TestPrimaryGoesLast(t *testing.T) {
	t.Parallel()
	for name, annotations := range map[string]string{
		"by label":              `{sluice-cd.github.io/primary: role=primary}`,
		"by label, no strategy": `{sluice-cd.github.io/primary: role=primary}`,
		"by probe":              `{sluice-cd.github.io/primary-probe: "test -f /data/primary"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t, stepwise)
			s.Value("Annotations", annotations)
			s.Value("Primary", "2")
			if name == "by label, no strategy" {
				s.Value("Update", "") // the cluster fills it in
			}
			s.installed()
			if name != "by probe" {
				s.Patch("Pod", "store-2", `{"metadata": {"labels": {"role": "primary"}}}`)
			}
			before, order := s.Snapshot(), s.order("app=store")
			s.release("v2")
			r := s.Run()
			t.Logf("took %s\n%s", r.Took, r.Story())
			s.expect("v2 v2 v2")
			order.expect(s, "v2", "store-1", "store-0", "store-2")
			s.delivered(before)
		})
	}
}

func TestPrimaryGoesBackLast(t *testing.T) {
	t.Parallel()
	s := newStore(t, gated)
	s.Value("Annotations", `{sluice-cd.github.io/primary-probe: "test -f /data/primary"}`)
	s.Value("Primary", "2")
	s.installed()
	before, order := s.Snapshot(), s.order("app=store")
	s.release("v2")
	s.thereAndBack()
	order.expect(s, "v1", "store-1", "store-0", "store-2")
	s.expect("v1 v1 v1")
	s.Unchanged(before)
}

// Under OnDelete only Sluice replaces pods, on the way forward and on the way back.
func TestOnDeleteIsKept(t *testing.T) {
	t.Parallel()
	s := newStore(t, gated)
	s.Value("Update", "{type: OnDelete}")
	s.installed()
	before, order := s.Snapshot(), s.order("app=store")
	s.release("v2")
	p := s.Start("run", "-f", "deploy.yaml")
	p.Await(waits("production/canary/1"))
	s.expect("v1 v1 v2")
	s.approve()
	p.Await(waits("production/canary/3"))
	s.expect("v1 v2 v2")
	s.must("reject")
	r := s.RollsBack(p)
	t.Logf("took %s\n%s", r.Took, r.Story())
	order.expect(s, "v2", "store-2", "store-1")
	s.expect("v1 v1 v1")
	s.Unchanged(before)
}
