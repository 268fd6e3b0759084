package main

import (
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/bootstrap"
	"github.com/sluice-cd/sluice/internal/config"
)

// A rehearse is what the command line says about a rehearsal.
type rehearse struct {
	local, approve          bool
	webhooks, metrics, jobs []string
	maxWait                 time.Duration
}

func (r *rehearse) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&r.local, "local", false, "rehearse on this machine: every account is a local one, nothing leaves it")
	f.StringArrayVar(&r.webhooks, "webhook", nil, "with --local: how a webhook ends, NAME=fail or NAME=timeout (may be repeated)")
	f.StringArrayVar(&r.metrics, "metric", nil, "with --local: what a query answers, NAME=NUMBER or NAME=none (may be repeated)")
	f.StringArrayVar(&r.jobs, "job", nil, "with --local: how a Job without a program ends, NAME=fail (may be repeated)")
	f.BoolVar(&r.approve, "approve", false, "with --local: rehearse a person who approves whatever waits for one")
	f.DurationVar(&r.maxWait, "max-wait", 0, "with --local: no timed pause and no interval of an analysis is longer")
}

// check refuses what means something in a rehearsal only.
func (r *rehearse) check() error {
	if r.local {
		return nil
	}
	for flag, given := range map[string]bool{
		"--webhook": len(r.webhooks) > 0, "--metric": len(r.metrics) > 0, "--job": len(r.jobs) > 0,
		"--approve": r.approve, "--max-wait": r.maxWait != 0,
	} {
		if given {
			return sluice.Errorf(sluice.Invalid, "%s is for rehearsals only", flag).WithHint("add --local")
		}
	}
	return nil
}

// plan returns the plan as it is rehearsed here.
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

// pairs reads NAME=VALUE; names may hold = themselves.
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
