package service

import (
	"context"
	"fmt"

	"github.com/sluice-cd/sluice"
)

// MissingRights asks the accounts of the plan which rights Sluice does not have there. Each right is listed once.
func MissingRights(ctx context.Context, p *sluice.Plan, accounts map[string]sluice.Account) (
	[]sluice.MissingRight, error,
) {
	reviewers := map[string]sluice.Reviewer{}
	for name, a := range accounts {
		if r, ok := a.(sluice.Reviewer); ok {
			reviewers[name] = r
		}
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

// Denied is the error for missing rights.
func Denied(list []sluice.MissingRight) error {
	verb := "are"
	if len(list) == 1 {
		verb = "is"
	}
	return sluice.Errorf(sluice.Denied, "%s %s missing", count(len(list), "right"), verb).
		WithHint("have them granted as shown above; deploy/ in Sluice's repository has a file for each feature")
}
