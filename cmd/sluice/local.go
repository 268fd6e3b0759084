package main

import (
	"context"
	"errors"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/bootstrap"
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
		Long: "Ps lists the pods of the local accounts of this state directory. It also says which accounts have lost\n" +
			"their agent while pods run on, wherever their directories are, and what to type.",
		Example: "  sluice local ps\n  sluice local ps --namespace production --output json",
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.localPs(cmd.Context(), account, namespace) },
	}
	cmd.Flags().StringVar(&account, "account", "", "only this account")
	cmd.Flags().StringVar(&namespace, "namespace", "", "only this namespace")
	return cmd
}

func (a *app) localPs(ctx context.Context, account, namespace string) error {
	w, err := a.wiring()
	if err != nil {
		return err
	}
	lost, err := w.Lost(ctx)
	if err != nil {
		return err
	}
	pods, silent := w.LocalPods(ctx, account, namespace)
	if len(pods) == 0 && silent != nil {
		return silent
	}
	rows := [][]string{{"ACCOUNT", "NAMESPACE", "POD", "OWNER", "IMAGE", "READY", "RESTARTS", "REASON"}}
	for _, p := range pods {
		ready, restarts := strconv.FormatBool(p.Ready), strconv.Itoa(p.Restarts)
		rows = append(rows, []string{p.Account, p.Namespace, p.Name, p.Owner, p.Image, ready, restarts, p.Reason})
	}
	if err := a.list("PodList", pods, "no pods run here", rows); err != nil {
		return err
	}
	for _, l := range lost {
		a.noteLost(l)
	}
	return silent
}

// noteLost says that an account has no agent, and what to type.
func (a *app) noteLost(l bootstrap.Lost) {
	const end = "sluice local down --state "
	dir, state, left := present.ShortPath(l.Dir), present.ShortPath(l.State()), present.Plural(len(l.Pods), "pod")
	switch {
	case l.Gone:
		a.note("the local account in %s is gone; still running (%s): %s\n"+
			"hint: end them with: %s%s", dir, l.Block, left, end, state)
	case l.Name == "":
		a.note("the agent of the local account in %s has died; still running (%s): %s\n"+
			"hint: end them with: %s%s", dir, l.Block, left, end, state)
	case len(l.Pods) == 0:
		a.note("the agent of account %s (%s) has died; no pod of it runs\n"+
			"hint: the next sluice run starts it again; to leave it ended: sluice local down", l.Name, dir)
	default:
		a.note("the agent of account %s (%s) has died; still running (%s): %s\n"+
			"hint: the next sluice run takes them over; to end them: sluice local down", l.Name, dir, l.Block, left)
	}
}

type addressOutput struct {
	Address string `json:"address"`
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
					return present.JSON(a.out, "Address", addressOutput{address})
				}
				err = present.Printf(a.out, "%s\n", address)
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
			"checkpoints and the history. While a deployment runs, it asks first. It also ends pods of accounts that\n" +
			"were in this state directory and are gone.",
		Example: "  sluice local down\n  sluice local down --account local --yes",
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.localDown(cmd.Context(), account, yes) },
	}
	cmd.Flags().StringVar(&account, "account", "", "only this account")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask, even while a deployment runs")
	return cmd
}

type endedOutput struct {
	Accounts []string `json:"accounts"`
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
		return present.JSON(a.out, "Ended", endedOutput{append([]string{}, ended...)})
	}
	if len(ended) == 0 {
		err := present.Printf(a.out, "nothing runs here\n")
		return err
	}
	for _, name := range ended {
		present.Printf(a.out, "account %s: everything ended\n", name)
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
