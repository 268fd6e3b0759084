package step_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/steptest"
)

// A curious account notes what dry runs of Deployment/web ask.
type curious struct {
	*steptest.Account
	writer sluice.ClusterWriter // of an application
	asked  map[string]bool
}

func (c curious) For(w sluice.Writing) (sluice.ClusterWriter, sluice.Adopter) {
	writer, adopter := c.Account.For(w)
	return curious{c.Account, writer, c.asked}, adopter
}

func (c curious) Apply(ctx context.Context, o sluice.Object, dryRun bool) (sluice.Object, sluice.Outcome, error) {
	if dryRun && o.Ref() == web {
		data, err := json.Marshal(o)
		if err != nil {
			return nil, "", err
		}
		c.asked[string(data)] = true
	}
	return c.writer.Apply(ctx, o, dryRun)
}

// To look at a Deployment and to complete its canary asks the account one thing only, whose answer it may keep.
func TestACanaryAsksOneThingOfItsDeployment(t *testing.T) {
	b := newBench().add("install", applying(true, workload("Deployment", "web", "web:1")))
	b.mustRun(t, "install")
	b.plan.Steps = nil
	b.add("apply", applying(true, workload("Deployment", "web", "web:2")))
	asked := map[string]bool{}
	account := b.account.Abilities()
	account.Writers = curious{Account: b.account, asked: asked}
	b.deps.Accounts["cluster"] = account
	b.mustRun(t, "apply")
	if b.get(t, webCanary) == nil || len(asked) != 1 {
		t.Errorf("%d questions: %v", len(asked), asked)
	}
}
