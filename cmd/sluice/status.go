package main

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/present"
	"github.com/sluice-cd/sluice/internal/service"
)

// maxListed is how many deployments a list shows.
const maxListed = 20

func newStatus(a *app) *cobra.Command {
	watch := false
	cmd := &cobra.Command{
		Use: "status [DEPLOYMENT]", Short: "Show the deployments, or one of them in detail",
		Long: "Status lists the latest deployments and the targets that run what they brought. With an id, or the\n" +
			"beginning of one, it shows the targets and steps of that deployment, what it waits for and what to type.\n" +
			"With --watch it does what sluice watch does.",
		Example: "  sluice status\n  sluice status 6921a\n  sluice status 6921a --output json\n  sluice status --watch",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if watch {
				return a.watch(cmd.Context(), args)
			}
			return a.reading(cmd.Context(), func(store sluice.Store) error { return a.status(cmd.Context(), store, args) })
		},
	}
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "show the deployment until it ends")
	return cmd
}

func (a *app) status(ctx context.Context, store sluice.Store, args []string) error {
	if len(args) == 0 {
		return a.statusList(ctx, store)
	}
	list, err := store.Deployments(ctx, "")
	if err != nil {
		return err
	}
	d, err := service.Find(list, args[0], service.IsRunning)
	if err != nil {
		return err
	}
	state, err := engine.Fold(d.ID, store.Read(ctx, d.ID, 0))
	if err != nil {
		return err
	}
	if a.json() {
		return present.JSON(a.out, "Deployment", present.DeploymentOf(state, true))
	}
	failed, err := service.FailedUndos(ctx, store, "")
	if err != nil {
		return err
	}
	m := a.summary(state)
	m.Unfinished = slices.Contains(failed, d.ID)
	return m.Status()
}

func (a *app) statusList(ctx context.Context, store sluice.Store) error {
	list, err := service.List(ctx, store, maxListed)
	if err != nil {
		return err
	}
	outputs := make([]present.Deployment, len(list))
	for i, d := range list {
		outputs[i] = present.DeploymentOf(d.State, false)
		outputs[i].RunsIn = d.RunsIn
	}
	return a.list("DeploymentList", outputs, "nothing was deployed from here yet", present.Deployments(outputs))
}
