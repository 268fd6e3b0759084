package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/api"
	"github.com/sluice-cd/sluice/internal/service"
)

func newRetry(a *app) *cobra.Command {
	o := &runOptions{}
	cmd := &cobra.Command{
		Use: "retry [DEPLOYMENT]", Short: "Deploy again what a failed deployment was to deploy",
		Long: "Retry starts a new deployment with the plan of one that failed, was rolled back or was cancelled: the same\n" +
			"manifests, targets and steps, also if the files have changed since. Without a name it takes the latest\n" +
			"deployment. It is refused once a newer deployment of the application has run.",
		Example: "  sluice retry\n  sluice retry 6921a --detach",
		Args:    cobra.MaximumNArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.retry(cmd.Context(), first(args), o) },
	}
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "do not ask before something that cannot be undone")
	cmd.Flags().BoolVarP(&o.detach, "detach", "d", false, "run in the background and return at once")
	return cmd
}

func (a *app) retry(ctx context.Context, arg string, o *runOptions) error {
	var p *sluice.Plan
	var failed sluice.DeploymentID
	err := a.reading(ctx, func(store sluice.Store) error {
		d, again, err := service.PlanRetry(ctx, store, arg)
		if p, failed = again, d.ID; err == nil {
			a.note("retrying deployment %s of %s", d.ID, d.Application)
		}
		return err
	})
	if err != nil {
		return err
	}
	if a.remote != nil {
		if err := a.confirmPlan(ctx, p, o.yes); err != nil {
			return err
		}
		return a.carryRemote(ctx, o, func() (api.Started, error) { return a.remote.Retry(ctx, failed) })
	}
	c, err := a.configuration("")
	if err != nil {
		return err
	}
	if p.Rehearsal == nil {
		if err := service.CheckConfigured(p, c); err != nil {
			return err
		}
	}
	if err := a.checkRights(ctx, c, p); err != nil {
		return err
	}
	if err := a.confirmPlan(ctx, p, o.yes); err != nil {
		return err
	}
	return a.start(ctx, c, o, p)
}
