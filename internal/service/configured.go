package service

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
)

// CheckAccounts returns an error that names each account that a target of the plan deploys to and that is not
// configured. A rehearsal uses accounts of its own.
func CheckAccounts(p *sluice.Plan, c *config.Config) error {
	missing := missingAccounts(p, c)
	if len(missing) == 0 {
		return nil
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		all = append(all, missing[name].Message)
	}
	return sluice.Errorf(sluice.Invalid, "%s", strings.Join(all, "; ")).WithHint("%s", accountHint(c))
}

// CheckConfigured returns a Diagnostics with everything that the plan uses and that is not configured: accounts, metric
// providers and secrets, each at the place that uses it. A rehearsal needs none of them.
func CheckConfigured(p *sluice.Plan, c *config.Config) error {
	if p.Rehearsal != nil {
		return nil
	}
	missing := sluice.Diagnostics(slices.Collect(maps.Values(missingAccounts(p, c))))
	for _, s := range p.Steps {
		for _, name := range providersOf(s) {
			if _, ok := c.Metrics[name]; !ok {
				missing = append(missing, notConfigured(s.Pos, "metric provider", name, providerHint(c, name)))
			}
		}
		names, err := secretsOf(s)
		if err != nil {
			return err
		}
		for _, name := range names {
			if _, ok := c.Secrets[name]; !ok {
				missing = append(missing, notConfigured(s.Pos, "secret", name, secretHint(c, name)))
			}
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return missing.InOrder("")
}

// missingAccounts returns a finding for each account that is not configured, by its name.
func missingAccounts(p *sluice.Plan, c *config.Config) map[string]sluice.Diagnostic {
	missing, targets := map[string]sluice.Diagnostic{}, map[string][]string{}
	for _, t := range p.Targets {
		if _, configured := c.Accounts[t.Account]; configured || p.Rehearsal != nil {
			continue
		}
		targets[t.Account] = append(targets[t.Account], t.Name)
		d := notConfigured(t.Pos, "account", t.Account, accountHint(c))
		if first, known := missing[t.Account]; known {
			d.Pos = first.Pos
		}
		d.Message += " (target " + strings.Join(targets[t.Account], ", ") + ")"
		missing[t.Account] = d
	}
	return missing
}

func notConfigured(at sluice.Position, what, name, hint string) sluice.Diagnostic {
	return sluice.Diagnostic{
		Pos: at, Severity: sluice.SeverityError, Code: codeNotConfigured,
		Message: fmt.Sprintf("the %s %q is not configured", what, name), Hint: hint,
	}
}

func accountHint(c *config.Config) string {
	return fmt.Sprintf("add it under accounts in %s; the configured accounts are: %s", ConfigName(c), Names(c.Accounts))
}

func providerHint(c *config.Config, name string) string {
	return fmt.Sprintf("add it under metrics in %s: %s: {type: prometheus, url: ...}", ConfigName(c), name)
}

func secretHint(c *config.Config, name string) string {
	return fmt.Sprintf("add it under secrets in %s: %s: {env: NAME} or {file: path}", ConfigName(c), name)
}
