package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/service"
)

type logsOptions struct {
	step, pod, account string
	lines              int
}

func newLogs(a *app) *cobra.Command {
	o := &logsOptions{}
	cmd := &cobra.Command{
		Use: "logs [DEPLOYMENT]", Short: "Show what happened in a deployment, or what a pod wrote",
		Long: "Logs prints the events of a deployment, a line a fact: of the one that is named, of the one that runs, or of the latest.\n" +
			"With --pod it prints what that pod wrote.",
		Example: "  sluice logs\n  sluice logs 6921a --step production/canary/2\n  sluice logs --pod production/shop-0 --lines 50",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.pod != "" {
				return a.podLogs(cmd.Context(), o)
			}
			return a.logs(cmd.Context(), args, o)
		},
	}
	cmd.Flags().StringVar(&o.step, "step", "", "only this step")
	cmd.Flags().StringVar(&o.pod, "pod", "", "namespace/name of a pod")
	cmd.Flags().StringVar(&o.account, "account", "", "the account that the pod runs in; by default that of the latest deployment to its namespace")
	cmd.Flags().IntVar(&o.lines, "lines", 200, "how many lines of a pod")
	return cmd
}

func (a *app) logs(ctx context.Context, args []string, o *logsOptions) error {
	return a.reading(ctx, func(store sluice.Store) error {
		id, err := logged(ctx, store, args)
		if err != nil {
			return err
		}
		return a.printEvents(ctx, store, id, sluice.StepID(o.step))
	})
}

// logged returns the deployment that is meant: the named one, else the one that runs, else the latest.
func logged(ctx context.Context, store sluice.Store, args []string) (sluice.DeploymentID, error) {
	list, err := store.Deployments(ctx, "")
	if err != nil {
		return "", err
	}
	if len(list) == 0 {
		return "", sluice.Errorf(sluice.NotFound, "nothing was deployed from here yet")
	}
	arg := first(args)
	d, err := service.Find(list, arg, service.IsRunning)
	if sluice.ErrorCode(err) == sluice.NotFound && arg == "" {
		return list[0].ID, nil
	}
	return d.ID, err
}

func (a *app) printEvents(ctx context.Context, store sluice.Store, id sluice.DeploymentID, step sluice.StepID) error {
	state := &engine.State{ID: id}
	plain, structured := newPlainView(a.out), newJSONView(a.out)
	for e, err := range store.Read(ctx, id, 0) {
		if err != nil {
			return err
		}
		state.Apply(e)
		if step != "" && e.Kind == sluice.DeploymentStarted {
			if state.Steps[step] == nil {
				return sluice.Errorf(sluice.NotFound, "deployment %s has no step %q", id, step).WithHint("see its steps with: sluice status %s", id)
			}
			continue
		}
		if step != "" && e.Step != step && (e.Signal == nil || e.Signal.Step != step) {
			continue
		}
		if a.json() {
			structured.Show(state, engine.Update{Event: &e})
			continue
		}
		for _, sentence := range sentences(state, e) {
			plain.line(state, e.At, sentence)
		}
	}
	return nil
}

func (a *app) podLogs(ctx context.Context, o *logsOptions) error {
	namespace, pod, ok := strings.Cut(o.pod, "/")
	if !ok {
		return sluice.Errorf(sluice.Invalid, "%q is not of the form namespace/name", o.pod).WithHint("see the pods with: sluice local ps")
	}
	name := o.account
	if name == "" {
		name = a.accountOf(ctx, namespace)
	}
	return a.withAccount(ctx, name, func(account sluice.Account) error {
		lines, err := account.Logs(ctx, namespace, pod, o.lines)
		if err != nil {
			return err
		}
		if a.json() {
			return writeJSON(a.out, lines)
		}
		for _, line := range lines {
			fmt.Fprintln(a.out, line)
		}
		return nil
	})
}

// accountOf returns the account of the latest deployment to the namespace, this machine where there is none.
func (a *app) accountOf(ctx context.Context, namespace string) string {
	found := config.AccountLocal
	_ = a.reading(ctx, func(store sluice.Store) error { // where nothing was deployed it is this machine, too
		list, err := store.Deployments(ctx, "")
		for i := 0; err == nil && i < len(list); i++ {
			var state *engine.State
			if state, err = engine.Fold(list[i].ID, store.Read(ctx, list[i].ID, 0)); err != nil {
				return err
			}
			at := slices.IndexFunc(state.Plan.Targets, func(t sluice.PlannedTarget) bool { return t.Namespace == namespace })
			if at >= 0 {
				found = state.Plan.Targets[at].Account
				return nil
			}
		}
		return err
	})
	return found
}
