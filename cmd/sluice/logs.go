package main

import (
	"cmp"
	"context"
	"io"
	"iter"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/present"
	"github.com/sluice-cd/sluice/internal/service"
)

type logsOptions struct {
	step, pod, account string
	lines              int
	follow             bool
}

func newLogs(a *app) *cobra.Command {
	o := &logsOptions{}
	cmd := &cobra.Command{
		Use: "logs [DEPLOYMENT]", Short: "Show the events of a deployment, or the output of a pod",
		Long: "Logs prints the events of a deployment: of the named one, of the one that runs, or of the latest. With\n" +
			"--pod it prints the output of that pod. --follow goes on until the deployment or the pod has ended; of a pod\n" +
			"it prints what the first container writes, from the first line that is kept.",
		Example: "  sluice logs --follow\n  sluice logs 6921a --step production/canary/2\n" +
			"  sluice logs --pod production/shop-0 --lines 50\n  sluice logs --pod production/shop-0 --follow",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.pod != "" && o.follow && (cmd.Flags().Changed("lines") || a.json()) {
				return sluice.Errorf(sluice.Invalid, "--follow prints every line of a pod as it is").
					WithHint("leave out --lines and --output, or leave out --follow")
			}
			if o.pod != "" {
				return a.podLogs(cmd.Context(), o)
			}
			return a.logs(cmd.Context(), args, o)
		},
	}
	cmd.Flags().StringVar(&o.step, "step", "", "only this step")
	cmd.Flags().StringVar(&o.pod, "pod", "", "namespace/name of a pod")
	cmd.Flags().StringVar(&o.account, "account", "",
		"the account of the pod (default: that of the latest deployment to its namespace)")
	cmd.Flags().BoolVarP(&o.follow, "follow", "f", false, "go on until the deployment, or the pod, has ended")
	cmd.Flags().IntVar(&o.lines, "lines", 200, "the number of lines of a pod")
	return cmd
}

func (a *app) logs(ctx context.Context, args []string, o *logsOptions) error {
	return a.reading(ctx, func(store sluice.Store) error {
		id, err := logged(ctx, store, args)
		if err != nil {
			return err
		}
		if o.follow {
			return a.printEvents(a.events(ctx, id), id, sluice.StepID(o.step))
		}
		return a.printEvents(store.Read(ctx, id, 0), id, sluice.StepID(o.step))
	})
}

// events yields the events of a deployment until it has ended. An interruption before that is an error.
func (a *app) events(ctx context.Context, id sluice.DeploymentID) iter.Seq2[sluice.Event, error] {
	return func(yield func(sluice.Event, error) bool) {
		for u, err := range a.updates(ctx, id, 0) {
			if err != nil {
				yield(sluice.Event{}, err)
				return
			}
			if u.Event != nil && !yield(*u.Event, nil) {
				return
			}
		}
		if ctx.Err() != nil {
			yield(sluice.Event{}, ctx.Err())
		}
	}
}

// logged returns the named deployment, otherwise the one that runs, otherwise the latest.
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

func (a *app) printEvents(
	events iter.Seq2[sluice.Event, error], id sluice.DeploymentID, step sluice.StepID,
) error {
	state := &engine.State{ID: id}
	plain, structured := present.NewPlainView(a.out, false), present.NewJSONView(a.out)
	for e, err := range events {
		if err != nil {
			return err
		}
		state.Apply(e)
		if step != "" && e.Plan != nil {
			if state.Steps[step] == nil {
				return sluice.Errorf(sluice.NotFound, "deployment %s has no step %q", id, step).
					WithHint("see its steps with: sluice status %s", id)
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
		plain.Event(state, e)
	}
	return nil
}

func (a *app) podLogs(ctx context.Context, o *logsOptions) error {
	namespace, pod, ok := strings.Cut(o.pod, "/")
	if !ok {
		return sluice.Errorf(sluice.Invalid, "%q is not of the form namespace/name", o.pod).
			WithHint("see the pods with: sluice local ps")
	}
	if a.remote != nil {
		return a.podLogsRemote(ctx, o, namespace, pod)
	}
	name := o.account
	if name == "" {
		_ = a.reading(ctx, func(store sluice.Store) (err error) { // without a store it is this machine
			name, err = service.AccountOf(ctx, store, namespace)
			return err
		})
	}
	return a.withAccount(ctx, cmp.Or(name, config.AccountLocal), func(account sluice.Account) error {
		if o.follow {
			return a.follow(account.Tail(ctx, namespace, pod))
		}
		return a.writePodLog(account.Logs(ctx, namespace, pod, o.lines))
	})
}

func (a *app) podLogsRemote(ctx context.Context, o *logsOptions, namespace, pod string) error {
	if o.follow {
		return a.follow(a.remote.TailPod(ctx, o.account, namespace, pod))
	}
	return a.writePodLog(a.remote.PodLogs(ctx, o.account, namespace, pod, o.lines))
}

func (a *app) writePodLog(lines []string, err error) error {
	if err != nil {
		return err
	}
	if a.json() {
		return present.JSON(a.out, "PodLog", lines)
	}
	_, err = io.WriteString(a.podOut(), strings.Join(append(lines, ""), "\n"))
	return err
}

// follow prints each line when it is written.
func (a *app) follow(lines iter.Seq2[string, error]) error {
	out := a.podOut()
	for line, err := range lines {
		if err == nil {
			_, err = io.WriteString(out, line+"\n")
		}
		if sluice.ErrorCode(err) == sluice.NotFound {
			return sluice.Errorf(sluice.NotFound, "%w", err).
				WithHint("leave out --follow to see what a pod wrote that has ended")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// podOut is where the output of pods goes: a file or a pipe gets what the pod wrote, a terminal nothing that moves it.
func (a *app) podOut() io.Writer {
	if term.IsTerminal(int(a.stdout.Fd())) {
		return present.Escaped(a.out)
	}
	return a.out
}
