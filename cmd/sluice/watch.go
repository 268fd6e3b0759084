package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/present"
)

func newWatch(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "watch [DEPLOYMENT]", Short: "Watch a deployment that another process runs",
		Long: "Watch shows the progress of a deployment until it ends, and exits with the status of its outcome. It\n" +
			"never runs or changes it: q or Ctrl-C ends only the watching. It watches the named deployment, the one\n" +
			"that runs, or the latest one.",
		Example: "  sluice watch\n  sluice watch 6921a --output json",
		Args:    cobra.MaximumNArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.watch(cmd.Context(), args) },
	}
}

func (a *app) watch(ctx context.Context, args []string) error {
	var id sluice.DeploymentID
	err := a.reading(ctx, func(store sluice.Store) (err error) {
		id, err = logged(ctx, store, args)
		return err
	})
	if err != nil {
		return err
	}
	view := a.newView(true)
	state, err := a.observe(ctx, id, view)
	if err := errors.Join(err, view.Close()); err != nil {
		return err
	}
	if err := a.summarize(state); err != nil {
		return err
	}
	if state.Outcome == "" {
		return unfinished{fmt.Sprintf("deployment %s has not ended yet", id), "see it with: sluice status " + string(id)}
	}
	return endedWith(endStatus(state))
}

// observe shows a deployment until it has ended, or the person at the view leaves.
func (a *app) observe(ctx context.Context, id sluice.DeploymentID, view present.View) (*engine.State, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		select {
		case <-view.Choices():
			stop()
		case <-ctx.Done():
		}
	}()
	state := &engine.State{ID: id}
	for u, err := range a.updates(ctx, id, 0) {
		if err != nil {
			return state, err
		}
		if u.Event != nil {
			state.Apply(*u.Event)
		}
		view.Show(state, u)
	}
	return state, nil
}

// alone returns a function that says once that the deployment is interrupted.
func (a *app) alone(id sluice.DeploymentID) func() {
	return sync.OnceFunc(func() {
		a.note("no process runs deployment %s; continue it with: sluice run --resume", id)
	})
}
