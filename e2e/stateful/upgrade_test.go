package stateful_test

import (
	"testing"

	"github.com/sluice-cd/sluice"
)

func TestOrdinalsChangeOneByOne(t *testing.T) {
	t.Parallel()
	s := newStore(t, gated)
	s.Value("Update", "{type: RollingUpdate, rollingUpdate: {partition: 0}}")
	s.installed()
	before, order := s.Snapshot(), s.order("app=store")

	s.release("v2")
	p := s.Start("run", "-f", "deploy.yaml")
	for _, gate := range []struct {
		step sluice.StepID
		pods string
	}{{"production/canary/1", "v1 v1 v2"}, {"production/canary/3", "v1 v2 v2"}, {"production/canary/5", "v2 v2 v2"}} {
		p.Await(waits(gate.step))
		s.expect(gate.pods)
		s.approve()
	}
	r := s.Ends(sluice.StatusSucceeded, p)
	t.Logf("took %s\n%s", r.Took, r.Story())
	s.expect("v2 v2 v2")
	order.expect(s, "v2", "store-2", "store-1", "store-0")
	s.delivered(before)
}

func TestRejectedOrdinalGoesBack(t *testing.T) {
	t.Parallel()
	s := newStore(t, gated)
	s.installed()
	before, order := s.Snapshot(), s.order("app=store")
	s.release("v2")
	p := s.Start("run", "-f", "deploy.yaml")
	p.Await(waits("production/canary/1"))
	s.approve()
	p.Await(waits("production/canary/3"))
	s.must("reject")
	r := s.RollsBack(p)
	t.Logf("took %s\n%s", r.Took, r.Story())
	s.expect("v1 v1 v1")
	order.expect(s, "v1", "store-2", "store-1")
	s.Unchanged(before)
}
