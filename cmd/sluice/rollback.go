package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/api"
	"github.com/sluice-cd/sluice/internal/bootstrap"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/history"
	"github.com/sluice-cd/sluice/internal/present"
	"github.com/sluice-cd/sluice/internal/service"
)

type rollbackOptions struct {
	runOptions
	reason string
	gates  bool
	data   []string
}

// The words that --data takes beside checkpoints.
const (
	dataLeave = "leave"
	dataAsk   = "ask"
)

func newRollback(a *app) *cobra.Command {
	o := &rollbackOptions{}
	cmd := &cobra.Command{
		Use: "rollback [DEPLOYMENT]", Short: "Go back to the release before",
		Long: "Rollback of a running deployment undoes the targets that have not finished and runs their onRollback\n" +
			"steps. If the undo of a deployment failed, rollback goes on with it.\n\n" +
			"Rollback of a finished deployment returns each of its targets to the release that the target ran before.\n" +
			"The old version starts beside the current one and gets all traffic as soon as it is ready; weights,\n" +
			"pauses, analyses, webhooks, jobs and data steps are skipped. --with-gates goes through weights and gates\n" +
			"again, never through data steps. Another rollback goes one release further back.\n\n" +
			"Data is left as it is unless a checkpoint is chosen. What was written since the checkpoint is saved\n" +
			"first, in a checkpoint of its own.",
		Example: "  sluice rollback\n  sluice rollback 6921a --yes\n" +
			"  sluice rollback --data 1a21e29cca7-78bdfc8a-production-before-0",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.rollback(cmd.Context(), first(args), o) },
	}
	cmd.Flags().StringVar(&o.reason, "reason", "", "why; it is recorded")
	cmd.Flags().BoolVar(&o.gates, "with-gates", false, "go through the weights and gates of the earlier release again")
	cmd.Flags().StringSliceVar(&o.data, "data", nil,
		"what happens to the data: leave, ask, or a checkpoint to put back (default: ask on a terminal, else leave)")
	takeOverFlag(cmd, &o.TakeOver)
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVarP(&o.detach, "detach", "d", false, "run in the background and return at once")
	return cmd
}

func (a *app) rollback(ctx context.Context, arg string, o *rollbackOptions) error {
	q := service.RollbackRequest{Deployment: arg, Gates: o.gates, By: actor(), Reason: o.reason,
		TakeOver: o.TakeOver}
	ask := len(o.data) == 0 && a.terminal && !o.yes
	switch {
	case len(o.data) == 1 && o.data[0] == dataAsk:
		if ask = true; !a.terminal {
			return sluice.Errorf(sluice.Invalid, "--data ask needs a terminal").
				WithHint("write --data leave, or --data and a checkpoint")
		}
	case len(o.data) == 1 && o.data[0] == dataLeave:
	default:
		q.Data = o.data
	}
	r, err := a.planRollback(ctx, q)
	if err != nil {
		return err
	}
	if r.Running != nil {
		return a.tell(ctx, r.Running.ID, sluice.Signal{Kind: sluice.SignalRollBack, By: q.By, Reason: o.reason})
	}
	if a.remote != nil {
		return a.rollbackRemote(ctx, r, q, o, ask)
	}
	if r.Unfinished != nil {
		return a.undoAgain(ctx, r.Unfinished.ID, o)
	}
	a.showRollback(r)
	if ask {
		if q.Data = a.askForData(ctx, r); len(q.Data) > 0 {
			if r, err = a.planRollback(ctx, q); err != nil {
				return err
			}
		}
	}
	c, err := a.configuration("")
	if err != nil {
		return err
	}
	if err := service.CheckAccounts(r.Plan, c); err != nil {
		return err
	}
	losses, err := a.losses(ctx, c, r.Plan)
	if err != nil {
		return err
	}
	a.showClasses(r, losses)
	if err := a.confirm(ctx, "Roll back?", o.yes); err != nil {
		return err
	}
	return a.start(ctx, c, &o.runOptions, r.Plan)
}

// rollbackRemote goes back through the server.
func (a *app) rollbackRemote(
	ctx context.Context, r *service.Rollback, q service.RollbackRequest, o *rollbackOptions, ask bool,
) error {
	if r.Unfinished != nil {
		a.note("the undo of deployment %s failed; what could not be undone is undone again", r.Unfinished.ID)
	}
	a.showRollback(r)
	if ask {
		if q.Data = a.askForData(ctx, r); len(q.Data) > 0 {
			again, err := a.planRollback(ctx, q)
			if err != nil {
				return err
			}
			r = again
		}
	}
	wanted := api.Rollback{Deployment: q.Deployment, Gates: q.Gates, Data: q.Data, TakeOver: q.TakeOver, Reason: q.Reason}
	planned, err := a.remote.PlanRollback(ctx, wanted)
	if err != nil {
		return err
	}
	losses := map[string]service.Loss{}
	for _, l := range planned.Losses {
		losses[l.Target] = l.Loss
	}
	a.showClasses(r, losses)
	if err := a.confirm(ctx, "Roll back?", o.yes); err != nil {
		return err
	}
	return a.carryRemote(ctx, &o.runOptions, func() (api.Started, error) { return a.remote.Rollback(ctx, wanted) })
}

// undoAgain goes on with an undo that failed.
func (a *app) undoAgain(ctx context.Context, id sluice.DeploymentID, o *rollbackOptions) error {
	a.note("the undo of deployment %s failed; what could not be undone is undone again", id)
	if err := a.confirm(ctx, "Go on with the undo?", o.yes); err != nil {
		return err
	}
	c, err := a.configuration("")
	if err != nil {
		return err
	}
	return a.carry(ctx, c, &o.runOptions, func(f *follower) (sluice.DeploymentID, error) {
		return id, f.session.Reopen(ctx, id, actor())
	})
}

func (a *app) planRollback(ctx context.Context, q service.RollbackRequest) (r *service.Rollback, err error) {
	err = a.reading(ctx, func(store sluice.Store) error {
		r, err = service.PlanRollback(ctx, store, history.NewIndex(store), q)
		return err
	})
	return r, err
}

// askForData asks for each checkpoint that could be put back.
func (a *app) askForData(ctx context.Context, r *service.Rollback) []string {
	var chosen []string
	for _, t := range r.Targets {
		for _, c := range t.Choices {
			question := fmt.Sprintf("Put the data of %s in %s back to %s?", c.Dataset, t.Target, present.Moment(c.TakenAt))
			if a.confirm(ctx, question, false) == nil {
				chosen = append(chosen, string(c.ID))
				break
			}
		}
	}
	return chosen
}

// showRollback says what each target runs, what it goes back to, and what could be put back.
func (a *app) showRollback(r *service.Rollback) {
	for _, t := range r.Targets {
		if t.Back == nil {
			a.note("%s stays as it is: %s", t.Target, t.Reason)
			continue
		}
		a.note("%s runs release %s of %s and goes back to release %s of %s", t.Target,
			t.Now.Deployment, present.Moment(t.Now.At), t.Back.Deployment, present.Moment(t.Back.At))
		for _, ref := range t.Gone {
			a.note("%s: %s is deleted, which a later release created", t.Target, ref)
		}
		for _, c := range t.Choices {
			if t.Restore == nil {
				a.note("%s: to put the data of %s back to %s as well: --data %s",
					t.Target, c.Dataset, present.Moment(c.TakenAt), c.ID)
			}
		}
	}
}

// showClasses says what the rollback does to the data of each target.
func (a *app) showClasses(r *service.Rollback, losses map[string]service.Loss) {
	for _, t := range r.Targets {
		if t.Back == nil {
			continue
		}
		if t.Restore != nil {
			loss := losses[t.Target]
			a.note("%s: rollback class %s: the data of %s goes back to %s; %s; the current data is saved first",
				t.Target, loss.Class(), t.Restore.Dataset, present.Moment(t.Restore.TakenAt), loss)
			continue
		}
		a.note("%s: rollback class A: the application only; data is left as it is", t.Target)
		if t.HasData && len(t.Choices) == 0 {
			a.note("%s: rollback class D for its data: there is no checkpoint from before the release", t.Target)
		}
	}
}

// losses counts what putting checkpoints back would take away. No account is started for it.
func (a *app) losses(ctx context.Context, c *config.Config, p *sluice.Plan) (_ map[string]service.Loss, err error) {
	if !slices.ContainsFunc(p.Steps, func(s sluice.PlannedStep) bool { return s.RestoreData != nil }) {
		return nil, nil
	}
	w := bootstrap.NewWiring(a.dir, c)
	defer func() { err = errors.Join(err, w.Close()) }()
	steps, _, err := w.Running(ctx, p)
	if err != nil {
		return nil, err
	}
	a.note("counting what was written since the checkpoint; this may take as long as reading the data twice")
	return service.Losses(ctx, p, steps)
}
