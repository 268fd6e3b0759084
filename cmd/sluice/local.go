package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/local"
	"github.com/sluice-cd/sluice/internal/local/standin"
	"github.com/sluice-cd/sluice/internal/present"
)

func newLocal(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "local", Short: "Show and end what runs on this machine",
		Example: "  sluice local ps\n  sluice local address production shop 8080\n  sluice local down",
	}
	cmd.AddCommand(newLocalPs(a), newLocalAddress(a), newLocalDown(a), newLocalAgent(a), newLocalStandIn(a))
	return cmd
}

// withAccount hands out an account: a cluster, or one of this machine that already runs.
func (a *app) withAccount(ctx context.Context, name string, use func(sluice.Account) error) (err error) {
	w, err := a.wiring()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	account, err := w.Account(ctx, name)
	if err != nil {
		return err
	}
	return use(account)
}

func newLocalPs(a *app) *cobra.Command {
	account, namespace := "", ""
	cmd := &cobra.Command{
		Use: "ps", Short: "List the pods on this machine",
		Example: "  sluice local ps\n  sluice local ps --namespace production --output json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			pods := []sluice.Pod{}
			err := a.withAccount(cmd.Context(), account, func(on sluice.Account) error {
				found, err := on.Pods(cmd.Context(), namespace)
				pods = append(pods, found...)
				return err
			})
			if err != nil && sluice.ErrorCode(err) != sluice.Unavailable { // an account that does not run has no pods
				return err
			}
			rows := [][]string{{"NAMESPACE", "POD", "OWNER", "IMAGE", "READY", "RESTARTS", "REASON"}}
			for _, p := range pods {
				ready, restarts := strconv.FormatBool(p.Ready), strconv.Itoa(p.Restarts)
				rows = append(rows, []string{p.Namespace, p.Name, p.Owner, p.Image, ready, restarts, p.Reason})
			}
			return a.list(pods, "no pods run here", rows)
		},
	}
	cmd.Flags().StringVar(&account, "account", "local", "the account")
	cmd.Flags().StringVar(&namespace, "namespace", "", "only this namespace")
	return cmd
}

func newLocalAddress(a *app) *cobra.Command {
	account := ""
	cmd := &cobra.Command{
		Use: "address NAMESPACE SERVICE PORT", Short: "Print the address of a Service on this machine",
		Example: "  sluice local address production shop 8080\n" +
			"  curl http://$(sluice local address production shop 8080)/",
		Args: cobra.ExactArgs(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			port, err := strconv.Atoi(args[2])
			if err != nil {
				return sluice.Errorf(sluice.Invalid, "%q is not a port", args[2]).
					WithHint("write a port number that the Service declares")
			}
			return a.withAccount(cmd.Context(), account, func(on sluice.Account) error {
				address, err := on.Address(cmd.Context(), args[0], args[1], port)
				if err != nil {
					return err
				}
				if a.json() {
					return present.JSON(a.out, map[string]string{"address": address})
				}
				_, err = fmt.Fprintln(a.out, address)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&account, "account", "local", "the account")
	return cmd
}

func newLocalDown(a *app) *cobra.Command {
	account, yes := "", false
	cmd := &cobra.Command{
		Use: "down", Short: "End everything that runs on this machine",
		Long: "Down stops all pods of the local accounts and the agents of these accounts. It keeps volumes,\n" +
			"checkpoints and the history. While a deployment runs, it asks first.",
		Example: "  sluice local down\n  sluice local down --account local --yes",
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.localDown(cmd.Context(), account, yes) },
	}
	cmd.Flags().StringVar(&account, "account", "", "only this account")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask, even while a deployment runs")
	return cmd
}

func (a *app) localDown(ctx context.Context, only string, yes bool) error {
	w, err := a.wiring()
	if err != nil {
		return err
	}
	if err := a.confirmDown(ctx, yes); err != nil {
		return err
	}
	ended, err := w.Down(ctx, only)
	if err != nil {
		return err
	}
	if a.json() {
		return present.JSON(a.out, map[string][]string{"accounts": ended})
	}
	if len(ended) == 0 {
		_, err := fmt.Fprintln(a.out, "nothing runs here")
		return err
	}
	for _, name := range ended {
		fmt.Fprintf(a.out, "account %s: everything ended\n", name)
	}
	return nil
}

func (a *app) confirmDown(ctx context.Context, yes bool) error {
	var running []sluice.DeploymentID
	err := a.reading(ctx, func(store sluice.Store) (err error) {
		running, err = store.Unended(ctx)
		return err
	})
	if sluice.ErrorCode(err) == sluice.NotFound || err == nil && len(running) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	a.note("not ended yet: %s", present.Plural(len(running), "deployment"))
	return a.confirm(ctx, "End everything anyway?", yes)
}

func newLocalAgent(a *app) *cobra.Command {
	dir := ""
	cmd := &cobra.Command{
		Use: "agent", Short: "Run a local account (started by sluice itself)", Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.follows.Store(true)
			return local.RunAgent(cmd.Context(), dir)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "directory of the account")
	return cmd
}

func newLocalStandIn(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "stand-in", Short: "Stand in for a container image (started by a rehearsal)", Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error { return standin.Run(cmd.Context(), a.out) },
	}
}
