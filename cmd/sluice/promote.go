package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/plan"
	"github.com/sluice-cd/sluice/internal/service"
)

func newPromote(a *app) *cobra.Command {
	p, roles, full, yes := service.Promotion{}, []string(nil), false, false
	cmd := &cobra.Command{
		Use:   "promote [DEPLOYMENT]",
		Short: "Continue a target that waits or is paused, or skip all that is left before promotion",
		Long: "Promote continues what sluice pause has paused. Otherwise it approves the pause that a target waits in,\n" +
			"or ends it if it is timed, as sluice approve does.\n" +
			"With --full it skips the weights, pauses, analyses and webhooks that are left of the target's strategy, and\n" +
			"the new version takes over at once. All other steps still run: jobs, waitFor, data steps,\n" +
			"afterDeployment. A gate that runs is ended; a weight that is being set is reached first.\n\n" +
			"To skip a pause that requires a role, name that role.",
		Example: "  sluice promote\n  sluice promote 6921a --full --target production --reason \"hotfix of the login\" --yes",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p.Deployment, p.By = first(args), actor(roles...)
			if full {
				return a.promote(cmd.Context(), p, yes)
			}
			return a.decide(cmd.Context(), service.Decision{
				Deployment: p.Deployment, Target: p.Target, Kinds: approvals, Continue: true, By: p.By,
				Reason: p.Reason,
			})
		},
	}
	cmd.Flags().BoolVar(&full, "full", false, "skip everything that is left before the promotion")
	cmd.Flags().StringVarP(&p.Target, "target", "t", "", "the target; needed if several can be promoted")
	cmd.Flags().StringVar(&p.Reason, "reason", "", "why; it is recorded")
	cmd.Flags().StringSliceVar(&roles, "role", nil, "the role in which you decide; recorded")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "with --full: do not ask")
	return cmd
}

func (a *app) promote(ctx context.Context, p service.Promotion, yes bool) error {
	var state *engine.State
	var sig sluice.Signal
	err := a.reading(ctx, func(store sluice.Store) (err error) {
		state, sig, err = service.PlanPromotion(ctx, store, p)
		return err
	})
	if err != nil {
		return err
	}
	for _, r := range state.Skippable(sig.Step.Target()) {
		a.note("%s is skipped: %s", r.Plan.ID, plan.Describe(r.Plan))
	}
	if err := a.confirm(ctx, "Promote "+sig.Step.Target()+"?", yes); err != nil {
		return err
	}
	return a.tell(ctx, state.ID, sig)
}
