package main

import (
	"context"
	"maps"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/kubernetes"
)

// cluster opens an account of the type kubernetes. Its cluster is not asked for anything yet.
func (w *wiring) cluster(ctx context.Context, c config.Account) (*kubernetes.Account, error) {
	a, err := kubernetes.Open(ctx, kubernetes.Options{
		Name: c.Name, Kubeconfig: c.Kubeconfig, Context: c.Context, InCluster: c.InCluster, UserAgent: "sluice/" + version().Version,
	})
	if err != nil {
		return nil, placed(err, c.Pos)
	}
	w.close.add(a.Close)
	return a, nil
}

// clusters opens the accounts of the type kubernetes: those that the plan names, without one all.
func (w *wiring) clusters(ctx context.Context, p *sluice.Plan) (map[string]*kubernetes.Account, error) {
	all := map[string]*kubernetes.Account{}
	for _, name := range slices.Sorted(maps.Keys(w.config.Accounts)) {
		c := w.config.Accounts[name]
		if c.Type != config.AccountKubernetes || p != nil && !uses(p, name) {
			continue
		}
		a, err := w.cluster(ctx, c)
		if err != nil {
			return nil, err
		}
		all[name] = a
	}
	return all, nil
}

// uses reports whether the plan deploys to the account, takes data from it or calls a Service in it.
func uses(p *sluice.Plan, account string) bool {
	return slices.ContainsFunc(p.Targets, func(t sluice.PlannedTarget) bool { return t.Account == account }) ||
		slices.ContainsFunc(p.Steps, func(s sluice.PlannedStep) bool { return stepUses(s, account) })
}

func stepUses(s sluice.PlannedStep, account string) bool {
	if s.RunWebhook != nil && s.RunWebhook.Webhook != nil {
		return s.RunWebhook.Webhook.AgentIdentifier == account
	}
	return s.MigrateData != nil && s.MigrateData.Source != nil && s.MigrateData.Source.Account == account
}

// placed tells where in sluice.yaml the fault lies.
func placed(err error, pos sluice.Position) error {
	if e, ok := err.(*sluice.Error); ok {
		return e.At(pos)
	}
	return err
}
