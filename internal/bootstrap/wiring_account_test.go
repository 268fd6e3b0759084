package bootstrap

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/secret"
)

// A cluster that cannot be opened stops only the deployments that need it.
func TestAClusterWithoutKubeconfigStopsOnlyWhatNeedsIt(t *testing.T) {
	c := &config.Config{Accounts: map[string]config.Account{
		"east": {Name: "east", Type: config.AccountKubernetes, Kubeconfig: filepath.Join(t.TempDir(), "nowhere")},
	}}
	for name, n := range map[string]struct {
		plan  sluice.Plan
		needs bool
	}{
		"nothing":               {plan: sluice.Plan{}},
		"another account":       {plan: planOn("local")},
		"a rehearsal":           {plan: rehearsalOf(planOn("east"))},
		"a deployment to it":    {plan: planOn("east"), needs: true},
		"data that it receives": {plan: planFrom("east"), needs: true},
	} {
		dir, err := OpenState(t.TempDir(), new(secret.Redactor))
		if err != nil {
			t.Fatal(err)
		}
		store, err := dir.open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		started := sluice.Event{Kind: sluice.DeploymentStarted, At: time.Unix(1, 0), Plan: &n.plan}
		if err := store.Append(t.Context(), "one", 0, started); err != nil {
			t.Fatal(err)
		}
		w := NewWiring(dir, c)
		err = w.accounts(t.Context(), store)
		if (err != nil) != n.needs {
			t.Errorf("%s: %v", name, err)
		}
		if w.unopened["east"] == nil {
			t.Errorf("%s: nothing says why the account cannot be used", name)
		}
		if err := errors.Join(w.Close(), store.Close()); err != nil {
			t.Error(err)
		}
	}
}

func planOn(account string) sluice.Plan {
	return sluice.Plan{Application: "shop", Targets: []sluice.PlannedTarget{{Name: "production", Account: account}}}
}

func rehearsalOf(p sluice.Plan) sluice.Plan {
	p.Rehearsal = &sluice.Rehearsal{}
	return p
}

func planFrom(account string) sluice.Plan {
	p := planOn("local")
	migrate := sluice.MigrateData{Source: &sluice.Target{Account: account}}
	p.Steps = []sluice.PlannedStep{{ID: "production/before/0", Target: "production",
		StepSpec: sluice.StepSpec{Kind: sluice.KindMigrateData, MigrateData: &migrate}}}
	return p
}
