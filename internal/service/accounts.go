package service

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/engine"
)

// CheckUnended returns an error if a deployment that has not ended uses an account that is not configured: neither the
// deployment nor its undo could continue.
func CheckUnended(ctx context.Context, store sluice.Store, c *config.Config) error {
	ids, err := store.Unended(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		state, err := engine.Fold(id, store.Read(ctx, id, 0))
		if err != nil {
			return fmt.Errorf("read deployment %s: %w", id, err)
		}
		if err := CheckAccounts(state.Plan, c); err != nil {
			return sluice.Errorf(sluice.Invalid, "deployment %s of %s has not ended and cannot continue with %s: %w",
				id, state.Plan.Application, ConfigName(c), err).
				WithHint("name the sluice.yaml that it was started with: --config FILE")
		}
	}
	return nil
}

// LocalAccounts returns a function that reports whether an account is this machine.
func LocalAccounts(c *config.Config) func(string) bool {
	return func(name string) bool { return c.Accounts[name].Type == config.AccountLocal }
}

// ConfigName is how messages call the configuration.
func ConfigName(c *config.Config) string { return cmp.Or(c.File, config.FileName) }

// Names lists the sorted keys of a map for a message.
func Names[V any](m map[string]V) string {
	if len(m) == 0 {
		return "none"
	}
	return strings.Join(slices.Sorted(maps.Keys(m)), ", ")
}

// Uses reports whether the plan deploys to the account, takes data from it or calls a Service in it.
func Uses(p *sluice.Plan, account string) bool {
	return slices.ContainsFunc(p.Targets, func(t sluice.PlannedTarget) bool { return t.Account == account }) ||
		slices.ContainsFunc(p.Steps, func(s sluice.PlannedStep) bool { return stepUses(s, account) })
}

func stepUses(s sluice.PlannedStep, account string) bool {
	if s.RunWebhook != nil && s.RunWebhook.Webhook != nil {
		return s.RunWebhook.Webhook.AgentIdentifier == account
	}
	return s.MigrateData != nil && s.MigrateData.Source != nil && s.MigrateData.Source.Account == account
}

// AccountOf returns the account of the latest deployment to a namespace, "" if there is none.
func AccountOf(ctx context.Context, log sluice.Log, namespace string) (string, error) {
	list, err := log.Deployments(ctx, "")
	if err != nil {
		return "", err
	}
	for _, d := range list {
		state, err := engine.Fold(d.ID, log.Read(ctx, d.ID, 0))
		if err != nil {
			return "", err
		}
		for _, t := range state.Plan.Targets {
			if t.Namespace == namespace {
				return t.Account, nil
			}
		}
	}
	return "", nil
}

// MissingRights asks the accounts of the plan which rights Sluice does not have there. Each right is listed once.
func MissingRights(ctx context.Context, p *sluice.Plan, accounts map[string]sluice.Account) (
	[]sluice.MissingRight, error,
) {
	reviewers := map[string]sluice.Reviewer{}
	for name, a := range accounts {
		reviewers[name] = a.Reviewer
	}
	return missing(ctx, p, reviewers)
}

func missing(ctx context.Context, p *sluice.Plan, accounts map[string]sluice.Reviewer) ([]sluice.MissingRight, error) {
	var list []sluice.MissingRight
	seen := map[sluice.MissingRight]bool{}
	for _, t := range p.Targets {
		r := accounts[t.Account]
		if r == nil {
			continue
		}
		rights, err := r.Missing(ctx, p, t.Name)
		if err != nil {
			return nil, fmt.Errorf("review the rights on account %s: %w", t.Account, err)
		}
		for _, right := range rights {
			m := sluice.MissingRight{Account: t.Account, Right: right}
			if !seen[m] {
				seen[m] = true
				list = append(list, m)
			}
		}
	}
	return list, nil
}

// SplitRights returns the missing rights that a deployment needs, and those that it can go on without.
func SplitRights(list []sluice.MissingRight) (needed, dispensable []sluice.MissingRight) {
	for _, r := range list {
		if r.Dispensable {
			dispensable = append(dispensable, r)
			continue
		}
		needed = append(needed, r)
	}
	return needed, dispensable
}

// Denied is the error for missing rights, nil if a deployment can go on without all of them.
func Denied(list []sluice.MissingRight) error {
	needed, _ := SplitRights(list)
	if len(needed) == 0 {
		return nil
	}
	verb := "are"
	if len(needed) == 1 {
		verb = "is"
	}
	return sluice.Errorf(sluice.Denied, "%s %s missing", count(len(needed), "right"), verb).
		WithHint("grant them as shown above; deploy/ in Sluice's repository has a file for each feature")
}
