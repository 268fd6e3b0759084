package step_test

import (
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
)

func TestFirstDeploymentGoesStraight(t *testing.T) {
	b := newBench().add("apply", applying(true, release("1")...)).add("canary/0", weight(10)).add("promote", promoting())
	s := b.must(t, "apply")
	preview, err := s.Check(t.Context())
	if err != nil || !strings.Contains(strings.Join(preview.Notes, "\n"), "straight to 100 %") {
		t.Errorf("got %v, %v", preview.Notes, err)
	}
	for _, id := range []string{"apply", "canary/0", "promote"} {
		b.mustRun(t, id)
	}
	if b.get(t, webCanary) != nil || b.account.Weight(namespace, "web") != 0 {
		t.Error("a first deployment has a canary")
	}
}

func TestOneObjectIsCountedAsOne(t *testing.T) {
	b := newBench().add("apply", applying(false, configMap("web", "1")))
	if p := b.mustRun(t, "apply"); p.Message != "1 object is as declared" {
		t.Errorf("the step says %q", p.Message)
	}
}

func TestFirstDeploymentLeavesTheGatesOut(t *testing.T) {
	approval := sluice.StepSpec{Kind: sluice.KindPause, Pause: &sluice.Pause{UntilApproved: true}}
	b := newBench().add("apply", applying(true, release("1")...)).add("canary/0", approval).add("after/0", approval)
	if preview, err := b.must(t, "apply").Check(t.Context()); err != nil ||
		!strings.Contains(strings.Join(preview.Notes, "\n"), "are left out") {
		t.Errorf("the plan does not tell: %v, %v", preview.Notes, err)
	}
	b.mustRun(t, "apply")
	if p := b.mustRun(t, "canary/0"); p.State != sluice.Done {
		t.Errorf("the approval of the strategy is waited for: %+v", p)
	}
	if p := b.mustRun(t, "after/0"); p.State != sluice.Waiting {
		t.Errorf("the approval behind the strategy is not waited for: %+v", p)
	}

	b.plan.Rehearsal = &sluice.Rehearsal{}
	if p := b.mustRun(t, "canary/0"); p.State != sluice.Waiting {
		t.Errorf("a rehearsal leaves the approval out: %+v", p)
	}
	b.plan.Rehearsal = nil

	b.plan.Steps[0].Apply.Objects = release("2")
	clear(b.results)
	b.id = "d2"
	b.mustRun(t, "apply")
	if p := b.mustRun(t, "canary/0"); p.State != sluice.Waiting {
		t.Errorf("the second deployment does not wait for its approval: %+v", p)
	}
}
