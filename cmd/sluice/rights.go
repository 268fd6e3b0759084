package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
)

// A missingRight is a right that Sluice lacks in an account.
type missingRight struct {
	Account string `json:"account"`
	sluice.Right
}

// missing asks every account of the plan that knows which rights Sluice lacks there, each right once.
func missing(ctx context.Context, p *sluice.Plan, accounts map[string]sluice.Account) ([]missingRight, error) {
	var list []missingRight
	seen := map[missingRight]bool{}
	for _, t := range p.Targets {
		reviewer := accounts[t.Account].Reviewer
		if reviewer == nil {
			continue
		}
		rights, err := reviewer.Missing(ctx, p, t.Name)
		if err != nil {
			return nil, fmt.Errorf("review the rights on account %s: %w", t.Account, err)
		}
		for _, right := range rights {
			m := missingRight{t.Account, right}
			if !seen[m] {
				seen[m] = true
				list = append(list, m)
			}
		}
	}
	return list, nil
}

// checkRights refuses a plan that would fail for a missing right in mid-deployment. An account that cannot be
// asked now is none to refuse for: what is away is tried again by the deployment itself.
func (a *app) checkRights(ctx context.Context, c *config.Config, p *sluice.Plan) (err error) {
	if p.Rehearsal != nil {
		return nil
	}
	w := &wiring{config: c}
	defer func() { err = errors.Join(err, w.close.run()) }()
	clusters, err := w.clusters(ctx, p)
	if err != nil {
		return err
	}
	accounts := map[string]sluice.Account{}
	for name, cluster := range clusters {
		accounts[name] = cluster.Abilities()
	}
	list, err := missing(ctx, p, accounts)
	if sluice.ErrorCode(err) == sluice.Unavailable {
		a.note("warning: %v", err)
		return nil
	}
	if err != nil || len(list) == 0 {
		return err
	}
	if err := printMissing(a.err, list); err != nil {
		return err
	}
	return denied(list)
}

func denied(list []missingRight) error {
	missing := "are missing"
	if len(list) == 1 {
		missing = "is missing"
	}
	return sluice.Errorf(sluice.Denied, "%s %s", plural(len(list), "right"), missing).
		WithHint("have them granted as shown above; deploy/ of Sluice's repository has a file for each feature")
}

// printMissing prints the rights as a table, those on the same resource in one row, and what grants them.
func printMissing(w io.Writer, list []missingRight) error {
	rows := [][]string{{"ACCOUNT", "NAMESPACE", "RESOURCE", "VERBS", "FEATURE"}}
	for _, r := range resources(list) {
		rows = append(rows, []string{r.Account, orNone(r.Namespace), groupResource(r.Right), r.Verb, orNone(r.Feature)})
	}
	if err := table(w, rows); err != nil {
		return err
	}
	fmt.Fprintln(w)
	for _, line := range grants(list) {
		fmt.Fprintln(w, line)
	}
	return nil
}

// resources joins the verbs of rights that differ in nothing else.
func resources(list []missingRight) []missingRight {
	var joined []missingRight
	at := map[missingRight]int{}
	for _, m := range list {
		key := m
		key.Verb = ""
		i, ok := at[key]
		if !ok {
			at[key] = len(joined)
			joined = append(joined, m)
			continue
		}
		joined[i].Verb += ", " + m.Verb
	}
	return joined
}

// groupResource names the resource as kubectl does.
func groupResource(r sluice.Right) string {
	if r.Group == "" {
		return r.Resource
	}
	resource, subresource, has := strings.Cut(r.Resource, "/")
	if has {
		return resource + "." + r.Group + "/" + subresource
	}
	return resource + "." + r.Group
}

// grants says what to type or to write, for each account apart.
func grants(list []missingRight) []string {
	lines := map[string]bool{}
	for _, m := range resources(list) {
		switch {
		case m.Feature == "" && m.Namespace == "":
			lines[fmt.Sprintf("account %s: add to a ClusterRole, as that of deploy/namespaces.yaml: {apiGroups: [%q], resources: [%s], verbs: [%s]}", m.Account, m.Group, m.Resource, m.Verb)] = true
		case m.Feature == "":
			lines[fmt.Sprintf("account %s: add to deploy/apply.yaml: {apiGroups: [%q], resources: [%s], verbs: [%s]}", m.Account, m.Group, m.Resource, m.Verb)] = true
		case m.Namespace == "":
			lines[fmt.Sprintf("account %s: kubectl apply -f deploy/%s.yaml", m.Account, m.Feature)] = true
		default:
			lines[fmt.Sprintf("account %s: kubectl apply --namespace %s -f deploy/%s.yaml", m.Account, m.Namespace, m.Feature)] = true
		}
	}
	return slices.Sorted(maps.Keys(lines))
}

func orNone(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
