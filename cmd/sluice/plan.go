package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/bootstrap"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/plan"
	"github.com/sluice-cd/sluice/internal/present"
	"github.com/sluice-cd/sluice/internal/service"
)

// The formats of other tools that draw a plan. They show what is declared and ask no account.
const (
	outputMermaid = "mermaid"
	outputDot     = "dot"
)

func newPlan(a *app) *cobra.Command {
	s := &service.Source{}
	offline := false
	cmd := &cobra.Command{
		Use: "plan", Short: "Show what a deployment would do",
		Long: "Plan shows the targets and steps of a deploy file in their order, what each step would change, how long\n" +
			"the waits are, and what a rollback would bring back and what it would not. It changes nothing. It says\n" +
			"what a step would change only if the account of the step can be reached. If a right is missing on an\n" +
			"account, it lists the right and exits with status 6. It lists everything that an account refuses, and\n" +
			"all accounts, metric providers and secrets that are not configured, and exits with status 2.",
		Example: "  sluice plan -f deploy.yaml\n  sluice plan -f deploy.yaml --target staging --offline\n" +
			"  sluice plan -f deploy.yaml --output mermaid",
		Annotations: map[string]string{moreOutputs: outputMermaid + " " + outputDot},
		RunE:        func(cmd *cobra.Command, _ []string) error { return a.plan(cmd.Context(), *s, offline) },
	}
	sourceFlags(cmd, s)
	takeOverFlag(cmd, &s.TakeOver)
	replaceFlag(cmd, s)
	cmd.Flags().BoolVar(&offline, "offline", false, "do not ask accounts what each step would change")
	return cmd
}

func (a *app) plan(ctx context.Context, s service.Source, offline bool) error {
	c, err := a.configuration(s.File)
	if err != nil {
		return err
	}
	compiled, err := a.compile(ctx, s, service.LocalAccounts(c))
	if err != nil {
		return err
	}
	switch a.output {
	case outputMermaid:
		return plan.Mermaid(present.Escaped(a.out), compiled.Plan)
	case outputDot:
		return plan.Dot(present.Escaped(a.out), compiled.Plan)
	}
	out := service.PlanPreview{Plan: compiled.Plan}
	if !offline {
		if out, err = a.preview(ctx, c, compiled.Plan); err != nil {
			return err
		}
	}
	if err := a.writePlan(out); err != nil || offline {
		return err
	}
	if err := service.CheckConfigured(compiled.Plan, c); err != nil {
		return err
	}
	return out.Fault()
}

// preview asks the accounts that run what each step would change.
func (a *app) preview(ctx context.Context, c *config.Config, p *sluice.Plan) (out service.PlanPreview, err error) {
	w := bootstrap.NewWiring(a.dir, c)
	defer func() { err = errors.Join(err, w.Close()) }()
	steps, accounts, err := w.Preview(ctx, p)
	if err != nil {
		return out, err
	}
	out, warning, err := service.Preview(ctx, p, steps, accounts)
	if warning != nil {
		a.note("warning: %v", warning)
	}
	for id := range out.Unknown {
		target, _ := p.Target(id.Target())
		if _, ok := c.Accounts[target.Account]; !ok {
			out.Unknown[id] = "account " + target.Account + " is not configured"
		}
	}
	return out, err
}

// planOutput returns the plan for JSON output, each step with what it would do.
func planOutput(p service.PlanPreview) present.PlanOutput {
	out := present.PlanOf(p.Plan)
	out.MissingRights = p.Missing
	for _, s := range out.Steps {
		s.Changes, s.Notes = p.Previews[s.ID].Changes, p.Previews[s.ID].Notes
		s.Refused, s.Unknown = p.Refused[s.ID], p.Unknown[s.ID]
	}
	return out
}

func (a *app) writePlan(out service.PlanPreview) error {
	if a.json() {
		return present.JSON(a.out, "Plan", planOutput(out))
	}
	err := plan.Tree(present.Escaped(a.out), out.Plan, out.Shown())
	if err != nil {
		return err
	}
	needed, dispensable := service.SplitRights(out.Missing)
	return present.AllMissingRights(a.out, needed, dispensable)
}
