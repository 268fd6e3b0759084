package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/bootstrap"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/present"
)

// missing asks every account of the plan that knows which rights Sluice lacks there, each right once.
func missing(ctx context.Context, p *sluice.Plan, accounts map[string]sluice.Account) ([]sluice.MissingRight, error) {
	var list []sluice.MissingRight
	seen := map[sluice.MissingRight]bool{}
	for _, t := range p.Targets {
		r, ok := accounts[t.Account].(sluice.Reviewer)
		if !ok {
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

// checkRights refuses a plan that would fail for a missing right in mid-deployment. An account that cannot be
// asked now is none to refuse for: what is away is tried again by the deployment itself.
func (a *app) checkRights(ctx context.Context, c *config.Config, p *sluice.Plan) (err error) {
	if p.Rehearsal != nil {
		return nil
	}
	w := bootstrap.NewWiring("", c)
	defer func() { err = errors.Join(err, w.Close()) }()
	accounts, err := w.Clusters(ctx, p)
	if err != nil {
		return err
	}
	list, err := missing(ctx, p, accounts)
	if sluice.ErrorCode(err) == sluice.Unavailable {
		a.note("warning: %v", err)
		return nil
	}
	if err != nil || len(list) == 0 {
		return err
	}
	if err := present.MissingRights(a.err, list); err != nil {
		return err
	}
	return denied(list)
}

func denied(list []sluice.MissingRight) error {
	missing := "are missing"
	if len(list) == 1 {
		missing = "is missing"
	}
	return sluice.Errorf(sluice.Denied, "%s %s", present.Plural(len(list), "right"), missing).
		WithHint("have them granted as shown above; deploy/ of Sluice's repository has a file for each feature")
}
