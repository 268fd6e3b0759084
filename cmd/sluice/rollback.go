package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/present"
	"github.com/sluice-cd/sluice/internal/service"
)

type rollbackOptions struct {
	runOptions
	reason string
}

func newRollback(a *app) *cobra.Command {
	o := &rollbackOptions{}
	cmd := &cobra.Command{
		Use: "rollback [DEPLOYMENT]", Short: "Go back to the release before",
		Long: "Rollback undoes every target of a running deployment that has not finished, and runs its onRollback steps. For a finished\n" +
			"deployment it starts a new one of the plan that succeeded before it: that plan's steps run again, its data steps too.\n" +
			"Otherwise data is left as it is; the checkpoints that could be put back are named.",
		Example: "  sluice rollback\n  sluice rollback 6921a --yes",
		Args:    cobra.MaximumNArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.rollback(cmd.Context(), first(args), o) },
	}
	cmd.Flags().StringVar(&o.reason, "reason", "", "why; it is recorded")
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVarP(&o.detach, "detach", "d", false, "carry it out in the background and return at once")
	return cmd
}

func (a *app) rollback(ctx context.Context, arg string, o *rollbackOptions) error {
	var d sluice.Deployment
	var previous *engine.State
	err := a.reading(ctx, func(store sluice.Store) error {
		list, err := store.Deployments(ctx, "")
		if err != nil {
			return err
		}
		if d, err = rolledBack(list, arg); err != nil || isRunning(d) {
			return err
		}
		if previous, err = before(ctx, store, d); err != nil {
			return err
		}
		return a.nameDataChoices(ctx, store, d, previous)
	})
	if err != nil {
		return err
	}
	if previous == nil {
		return a.tell(ctx, d.ID, sluice.Signal{Kind: sluice.SignalRollBack, By: actor(), Reason: o.reason})
	}
	if err := a.confirm(fmt.Sprintf("Deploy %s as in %s again?", d.Application, previous.ID), o.yes); err != nil {
		return err
	}
	c, err := a.configuration("")
	if err != nil {
		return err
	}
	if previous.Plan.Rehearsal == nil {
		if err := service.CheckAccounts(previous.Plan, c); err != nil {
			return err
		}
	}
	return a.start(ctx, c, &o.runOptions, previous.Plan)
}

// rolledBack returns the deployment that is meant: the named one, the only one that runs, or the latest of
// the only application.
func rolledBack(list []sluice.Deployment, arg string) (sluice.Deployment, error) {
	d, err := find(list, arg, isRunning)
	if err == nil || arg != "" || sluice.ErrorCode(err) != sluice.NotFound {
		return d, err
	}
	newest := map[string]bool{}
	return find(list, "", func(d sluice.Deployment) bool {
		first := !newest[d.Application]
		newest[d.Application] = true
		return first
	})
}

// before returns the latest deployment of the application that succeeded before d. What succeeded only in a rehearsal
// counts for rehearsals alone.
func before(ctx context.Context, store sluice.Store, d sluice.Deployment) (*engine.State, error) {
	list, err := store.Deployments(ctx, d.Application)
	if err != nil {
		return nil, err
	}
	now, err := engine.Fold(d.ID, store.Read(ctx, d.ID, 0))
	if err != nil {
		return nil, err
	}
	for _, other := range list { // newest first
		if !other.StartedAt.Before(d.StartedAt) || other.Outcome != sluice.StatusSucceeded {
			continue
		}
		then, err := engine.Fold(other.ID, store.Read(ctx, other.ID, 0))
		if err != nil || (then.Plan.Rehearsal == nil) == (now.Plan.Rehearsal == nil) {
			return then, err
		}
	}
	return nil, sluice.Errorf(sluice.NotFound, "no deployment of %s succeeded before %s", d.Application, d.ID).
		WithHint("deploy the release you want with: sluice run -f deploy.yaml")
}

// nameDataChoices says what becomes of the data.
func (a *app) nameDataChoices(ctx context.Context, store sluice.Store, d sluice.Deployment, previous *engine.State) error {
	checkpoints, err := store.Checkpoints(ctx, d.Application)
	if err != nil {
		return err
	}
	a.note("this deploys %s as it was in %s of %s to %s", d.Application, previous.ID, present.Moment(previous.StartedAt), present.TargetNames(previous.Plan))
	a.note("the steps of that plan run again, its data steps as well; otherwise data stays as it is now")
	for _, c := range checkpoints {
		if c.Deployment == d.ID {
			a.note("to put the data of %s in %s back to %s: sluice data restore %s", c.Dataset, c.Target, present.Moment(c.TakenAt), c.ID)
		}
	}
	return nil
}
