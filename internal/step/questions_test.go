package step_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/steptest"
)

// A curious account notes what dry runs of Deployment/web ask, and refuses those with the text.
type curious struct {
	*steptest.Account
	writer  sluice.ClusterWriter // of an application
	asked   map[string]bool
	refused string
}

func (c curious) For(w sluice.Writing) (sluice.ClusterWriter, sluice.Adopter) {
	writer, adopter := c.Account.For(w)
	c.writer = writer
	return c, adopter
}

func (c curious) Apply(ctx context.Context, o sluice.Object, dryRun bool) (sluice.Object, sluice.Outcome, error) {
	if dryRun && o.Ref() == web {
		data, err := json.Marshal(o)
		if err != nil {
			return nil, "", err
		}
		c.asked[string(data)] = true
		if c.refused != "" && strings.Contains(string(data), c.refused) {
			return nil, "", sluice.Errorf(sluice.Conflict, "somebody else owns it")
		}
	}
	return c.writer.Apply(ctx, o, dryRun)
}

func (b *bench) ask(c curious) {
	account := b.account.Abilities()
	c.Account = b.account
	account.Writers = c
	b.deps.Accounts["cluster"] = account
}

// To look at a Deployment and to complete its canary asks the account one thing only, whose answer it may keep.
func TestACanaryAsksOneThingOfItsDeployment(t *testing.T) {
	b := newBench().add("install", applying(true, workload("Deployment", "web", "web:1")))
	b.mustRun(t, "install")
	b.plan.Steps = nil
	b.add("apply", applying(true, workload("Deployment", "web", "web:2")))
	asked := map[string]bool{}
	b.ask(curious{asked: asked})
	b.mustRun(t, "apply")
	if b.get(t, webCanary) == nil || len(asked) != 1 {
		t.Errorf("%d questions: %v", len(asked), asked)
	}
}

// Who runs kubectl rollout undo owns the stamps of the pods. They are in nobody's way while the pods stay.
func TestStampsOfOthersStay(t *testing.T) {
	b := newBench().add("install", applying(true, workload("Deployment", "web", "web:1")))
	b.mustRun(t, "install")
	b.plan.Steps = nil
	b.add("apply", applying(true, workload("Deployment", "web", "web:1")))
	b.ask(curious{asked: map[string]bool{}, refused: `"d1"`})
	if preview, err := b.must(t, "apply").Check(t.Context()); err != nil || len(preview.Changes) > 0 {
		t.Errorf("%v, %v", preview.Changes, err)
	}
}
