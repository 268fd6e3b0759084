package service

import (
	"fmt"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
)

// CheckAccounts returns an error that names each account that a target of the plan deploys to and that is not
// configured. A rehearsal uses accounts of its own.
func CheckAccounts(p *sluice.Plan, c *config.Config) error {
	return notConfigured(missingAccounts(p, c), c)
}

// CheckConfigured returns an error that names everything that the plan uses and that is not configured: accounts,
// metric providers and secrets. A rehearsal needs none of them.
func CheckConfigured(p *sluice.Plan, c *config.Config) error {
	missing := missingAccounts(p, c)
	if p.Rehearsal != nil {
		return nil
	}
	for _, name := range providersIn(p) {
		if _, ok := c.Metrics[name]; !ok {
			missing = append(missing, fmt.Sprintf("metric provider %q", name))
		}
	}
	secrets, err := secretsIn(p)
	if err != nil {
		return err
	}
	for _, name := range secrets {
		if _, ok := c.Secrets[name]; !ok {
			missing = append(missing, fmt.Sprintf("secret %q", name))
		}
	}
	return notConfigured(missing, c)
}

// missingAccounts names the accounts that are not configured, each with its targets.
func missingAccounts(p *sluice.Plan, c *config.Config) (missing []string) {
	targets := map[string][]string{}
	for _, t := range p.Targets {
		targets[t.Account] = append(targets[t.Account], t.Name)
	}
	for _, t := range p.Targets {
		_, configured := c.Accounts[t.Account]
		if all := targets[t.Account]; !configured && p.Rehearsal == nil && all[0] == t.Name {
			missing = append(missing, fmt.Sprintf("account %q (target %s)", t.Account, strings.Join(all, ", ")))
		}
	}
	return missing
}

func notConfigured(missing []string, c *config.Config) error {
	if len(missing) == 0 {
		return nil
	}
	return sluice.Errorf(sluice.Invalid, "not configured: %s", strings.Join(missing, "; ")).
		WithHint("add what is missing under accounts, metrics or secrets in %s; the configured accounts are: %s",
			ConfigName(c), Names(c.Accounts))
}
