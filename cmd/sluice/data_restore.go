package main

import (
	"cmp"
	"context"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/api"
	"github.com/sluice-cd/sluice/internal/present"
	"github.com/sluice-cd/sluice/internal/service"
)

func newDataRestore(a *app) *cobra.Command {
	o := &runOptions{}
	target := ""
	cmd := &cobra.Command{
		Use: "restore CHECKPOINT", Short: "Put the data of a checkpoint back",
		Long: "Restore is a deployment with one step. It stops the workload, saves the current data in a checkpoint of\n" +
			"its own, puts the data of the checkpoint in place and starts the workload again. By starting it\n" +
			"you agree to the loss of what was written since, even if that cannot be counted.",
		Example: "  sluice data restore 1a21e29cca7-78bdfc8a-production-before-0\n" +
			"  sluice data restore 1a21e29cca7-78bdfc8a-production-before-0 --target staging --yes",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.dataRestore(cmd.Context(), args[0], target, o)
		},
	}
	cmd.Flags().StringVarP(&target, "target", "t", "", "target to restore into (default: the target it was taken from)")
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVarP(&o.detach, "detach", "d", false, "run in the background and return at once")
	return cmd
}

func (a *app) dataRestore(ctx context.Context, arg, target string, o *runOptions) error {
	var c sluice.Checkpoint
	var p *sluice.Plan
	err := a.reading(ctx, func(store sluice.Store) (err error) {
		p, c, err = service.PlanRestore(ctx, store, arg, target, actor())
		return err
	})
	if err != nil {
		return err
	}
	if a.remote != nil {
		return a.dataRestoreRemote(ctx, c, target, o)
	}
	config, err := a.configuration("")
	if err != nil {
		return err
	}
	if err := service.CheckAccounts(p, config); err != nil {
		return err
	}
	where := p.Targets[0].Name
	a.note("%s of %s becomes as it was at %s; the current data is saved first, in a checkpoint of its own",
		c.Dataset, where, present.Moment(c.TakenAt))
	if !o.yes && a.terminal {
		losses, err := a.losses(ctx, config, p)
		if err != nil {
			return err
		}
		a.note("%s", losses[where])
	}
	if err := a.confirm(ctx, "Put it back?", o.yes); err != nil {
		return err
	}
	return a.start(ctx, config, o, p)
}

// dataRestoreRemote puts the checkpoint back through the server.
func (a *app) dataRestoreRemote(ctx context.Context, c sluice.Checkpoint, target string, o *runOptions) error {
	a.note("%s of %s becomes as it was at %s; the current data is saved first, in a checkpoint of its own",
		c.Dataset, cmp.Or(target, c.Target), present.Moment(c.TakenAt))
	if !o.yes && a.terminal {
		planned, err := a.remote.PlanRestore(ctx, string(c.ID), target)
		if err != nil {
			return err
		}
		a.note("%s", planned.Loss.Text)
	}
	if err := a.confirm(ctx, "Put it back?", o.yes); err != nil {
		return err
	}
	return a.carryRemote(ctx, o, func() (api.Started, error) { return a.remote.Restore(ctx, string(c.ID), target) })
}
