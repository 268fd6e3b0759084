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

type planOptions struct {
	service.Source
	offline  bool
	rehearse rehearse
}

func newPlan(a *app) *cobra.Command {
	o := &planOptions{}
	cmd := &cobra.Command{
		Use: "plan", Short: "Show what a deployment would do",
		Long: "Plan shows the targets and steps of a deploy file in their order, what each step would change, how long\n" +
			"the waits are, and what a rollback would bring back and what it would not. It starts and changes nothing;\n" +
			"a local account that does not run is read from its directory. What will certainly fail is an error with\n" +
			"its place and status 2, exactly as in a run: what an account refuses, an image without a program, accounts,\n" +
			"metric providers and secrets that are missing. If a right is missing on an account, plan lists the right\n" +
			"and exits with status 6. --local shows what a rehearsal would do, and which parts would be real.",
		Example: "  sluice plan -f deploy.yaml\n  sluice plan -f deploy.yaml --target staging --offline\n" +
			"  sluice plan --local -f deploy.yaml\n  sluice plan -f deploy.yaml --output mermaid",
		Annotations: map[string]string{moreOutputs: outputMermaid + " " + outputDot},
		RunE:        func(cmd *cobra.Command, _ []string) error { return a.plan(cmd.Context(), o) },
	}
	sourceFlags(cmd, &o.Source)
	takeOverFlag(cmd, &o.TakeOver)
	replaceFlag(cmd, &o.Source)
	o.rehearse.flags(cmd)
	cmd.Flags().BoolVar(&o.offline, "offline", false, "do not ask accounts what each step would change")
	return cmd
}

func (a *app) plan(ctx context.Context, o *planOptions) error {
	if err := o.rehearse.check(); err != nil {
		return err
	}
	if a.remote != nil && !o.rehearse.local {
		return a.planRemote(ctx, o)
	}
	c, err := a.configuration(o.File)
	if err != nil {
		return err
	}
	p, err := o.rehearse.compile(ctx, a, c, o.Source)
	if err != nil {
		return err
	}
	if drawn, err := a.draw(p); drawn {
		return err
	}
	out := service.PlanPreview{Plan: p}
	if !o.offline {
		if out, err = a.preview(ctx, c, p); err != nil {
			return err
		}
	}
	if err := a.writePlan(out); err != nil || o.offline {
		return err
	}
	if err := bootstrap.CheckMachine(p, c); err != nil {
		return err
	}
	if err := service.CheckConfigured(p, c); err != nil {
		return err
	}
	return out.Fault()
}

// draw writes the plan in the format of another tool, if one was asked for.
func (a *app) draw(p *sluice.Plan) (drawn bool, err error) {
	switch a.output {
	case outputMermaid:
		return true, plan.Mermaid(present.Escaped(a.out), p)
	case outputDot:
		return true, plan.Dot(present.Escaped(a.out), p)
	}
	return false, nil
}

// planRemote shows what a deployment through the server would do.
func (a *app) planRemote(ctx context.Context, o *planOptions) error {
	b, err := a.pack(ctx, o.Source)
	if err != nil {
		return err
	}
	offline := o.offline || a.output == outputMermaid || a.output == outputDot
	planned, err := a.remote.Plan(ctx, b, offline)
	if err != nil {
		return placed(o.Source, err)
	}
	present.Findings(a.err, here(o.Source, planned.Warnings))
	if drawn, err := a.draw(planned.Plan); drawn {
		return err
	}
	if err := a.writePlan(planned.PlanPreview); err != nil || offline {
		return err
	}
	return placed(o.Source, planned.Fault())
}

// preview asks the accounts what each step would change.
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
	if r := out.Plan.Rehearsal; r != nil {
		return present.Rehearsal(a.out, r)
	}
	needed, dispensable := service.SplitRights(out.Missing)
	return present.AllMissingRights(a.out, needed, dispensable)
}
