package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/bootstrap"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/service"
)

// A rehearse holds the flags of a rehearsal.
type rehearse struct {
	local, approve          bool
	webhooks, metrics, jobs []string
	maxWait                 time.Duration
}

func (r *rehearse) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&r.local, "local", false, "rehearse on this machine: every account is local, and nothing leaves the machine")
	f.StringArrayVar(&r.webhooks, "webhook", nil,
		"with --local: the result of a webhook, NAME=fail or NAME=timeout (may be repeated)")
	f.StringArrayVar(&r.metrics, "metric", nil,
		"with --local: the value of a query, NAME=NUMBER or NAME=none (may be repeated)")
	f.StringArrayVar(&r.jobs, "job", nil,
		"with --local: the result of a Job without a program, NAME=fail (may be repeated)")
	f.BoolVar(&r.approve, "approve", false, "with --local: approve every step that waits for a person")
	f.DurationVar(&r.maxWait, "max-wait", 0, "with --local: the longest timed pause and analysis interval")
}

// check rejects flags that only have a meaning in a rehearsal.
func (r *rehearse) check() error {
	if r.local {
		return nil
	}
	for flag, given := range map[string]bool{
		"--webhook": len(r.webhooks) > 0, "--metric": len(r.metrics) > 0, "--job": len(r.jobs) > 0,
		"--approve": r.approve, "--max-wait": r.maxWait != 0,
	} {
		if given {
			return sluice.Errorf(sluice.Invalid, "%s is only for rehearsals", flag).WithHint("add --local")
		}
	}
	return nil
}

// compile returns the plan of the deploy file, for a rehearsal or for real, and prints its warnings.
func (r *rehearse) compile(ctx context.Context, a *app, c *config.Config, s service.Source) (*sluice.Plan, error) {
	local := service.LocalAccounts(c)
	if r.local {
		local = nil // a rehearsal replaces accounts that may have a mesh
	}
	compiled, err := a.compile(ctx, s, local)
	if err != nil || !r.local {
		return compiled.Plan, err
	}
	return r.plan(compiled.Plan, c)
}

// plan returns the plan of the rehearsal.
func (r *rehearse) plan(p *sluice.Plan, c *config.Config) (*sluice.Plan, error) {
	o := bootstrap.Rehearsal{Approve: r.approve, MaxWait: r.maxWait}
	var err, all error
	o.Webhooks, err = pairs("webhook", r.webhooks)
	all = errors.Join(all, err)
	o.Metrics, err = pairs("metric", r.metrics)
	all = errors.Join(all, err)
	o.Jobs, err = pairs("job", r.jobs)
	if all = errors.Join(all, err); all != nil {
		return nil, all
	}
	return bootstrap.Rehearse(p, c, o)
}

// pairs reads NAME=VALUE. A name may contain =.
func pairs(flag string, given []string) (map[string]string, error) {
	all := map[string]string{}
	for _, text := range given {
		i := strings.LastIndexByte(text, '=')
		if i < 1 || i == len(text)-1 {
			return nil, sluice.Errorf(sluice.Invalid, "--%s %q is not of the form NAME=VALUE", flag, text).
				WithHint("write it like --%s \"NAME=VALUE\"", flag)
		}
		all[text[:i]] = text[i+1:]
	}
	return all, nil
}
