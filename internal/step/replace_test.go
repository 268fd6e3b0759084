package step_test

import (
	"context"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
)

// A canary of a deployment that another state directory began is not taken, unless the user says so. It belongs to a
// run that may go on.
func TestCanaryOfAnotherStateDirectory(t *testing.T) {
	b := installed(t)
	b.id = "d7"
	b.mustRun(t, "apply")
	b.mustRun(t, "canary/0")
	was := b.account.Snapshot()
	b.id = "d8"
	clear(b.results)
	b.plan.Steps[0].Apply.Objects = release("3")
	b.deps.Knows = func(_ context.Context, id sluice.DeploymentID) (bool, error) { return id == "d8", nil }
	_, err := b.run(t, "apply")
	if sluice.ErrorCode(err) != sluice.Conflict || !strings.Contains(err.Error(), "belongs to the deployment d7") ||
		!strings.Contains(sluice.ErrorHint(err), "sluice run --replace d7") {
		t.Errorf("got %v (%s)", err, sluice.ErrorHint(err))
	}
	if was != b.account.Snapshot() {
		t.Error("something changed")
	}
	b.plan.Replace = "d7"
	for _, id := range []string{"apply", "canary/0", "canary/1", "promote"} {
		b.mustRun(t, id)
	}
	if imageIn(b.get(t, web)) != "web:3" || b.get(t, webCanary) != nil {
		t.Errorf("it ends with\n%s", b.account.Snapshot())
	}
}

// What an earlier deployment of the same state directory left is replaced without asking.
func TestCanaryThatWasLeftIsReplaced(t *testing.T) {
	b := installed(t)
	b.id = "d7"
	b.mustRun(t, "apply")
	b.mustRun(t, "canary/0")
	b.id = "d8"
	clear(b.results)
	b.plan.Steps[0].Apply.Objects = release("3")
	b.account.AfterWrite(func() {
		if n := b.serving(); n < 3 {
			t.Errorf("only %d ready pods serve", n)
		}
	})
	for _, id := range []string{"apply", "canary/1", "promote"} {
		b.mustRun(t, id)
	}
	if imageIn(b.get(t, web)) != "web:3" || b.get(t, webCanary) != nil {
		t.Errorf("it ends with\n%s", b.account.Snapshot())
	}
}
