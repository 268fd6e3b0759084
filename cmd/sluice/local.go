package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
)

func newLocal(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "local", Short: "Look at and end what runs on this machine",
		Example: "  sluice local ps\n  sluice local address production shop 8080\n  sluice local down",
	}
	cmd.AddCommand(newLocalPs(a), newLocalAddress(a), newLocalDown(a), newLocalAgent(a), newLocalStandIn(a))
	return cmd
}

func newLocalPs(a *app) *cobra.Command {
	account, namespace := "", ""
	cmd := &cobra.Command{
		Use: "ps", Short: "List the pods on this machine",
		Example: "  sluice local ps\n  sluice local ps --namespace production --output json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var pods []sluice.Pod
			err := a.withAccount(cmd.Context(), account, func(on sluice.Account) (err error) {
				pods, err = on.Pods(cmd.Context(), namespace)
				return err
			})
			if err != nil && sluice.ErrorCode(err) != sluice.Unavailable { // what does not run has no pods
				return err
			}
			return a.localPs(pods)
		},
	}
	cmd.Flags().StringVar(&account, "account", "local", "which account")
	cmd.Flags().StringVar(&namespace, "namespace", "", "only this namespace")
	return cmd
}

func (a *app) localPs(pods []sluice.Pod) error {
	if a.json() {
		if pods == nil {
			pods = []sluice.Pod{}
		}
		return writeJSON(a.out, pods)
	}
	if len(pods) == 0 {
		_, err := fmt.Fprintln(a.out, "no pod runs here")
		return err
	}
	rows := [][]string{{"NAMESPACE", "POD", "OWNER", "IMAGE", "READY", "RESTARTS", "REASON"}}
	for _, p := range pods {
		rows = append(rows, []string{p.Namespace, p.Name, p.Owner, p.Image, strconv.FormatBool(p.Ready), strconv.Itoa(p.Restarts), p.Reason})
	}
	return table(a.out, rows)
}

// withAccount hands out an account: a cluster, or one of this machine that runs already.
func (a *app) withAccount(ctx context.Context, name string, use func(sluice.Account) error) (err error) {
	w, err := a.wiring("")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close.run()) }()
	if c := w.config.Accounts[name]; c.Type == config.AccountKubernetes {
		account, err := w.cluster(ctx, c)
		if err != nil {
			return err
		}
		return use(account.Abilities())
	}
	accounts, err := w.locals(ctx)
	if err != nil {
		return err
	}
	account, ok := accounts[name]
	known, err := w.localAccounts()
	if err != nil {
		return err
	}
	if _, exists := known[name]; !exists && !ok {
		return sluice.Errorf(sluice.NotFound, "there is no account %q", name).WithHint("the accounts are: %s", names(known))
	}
	if !ok {
		return sluice.Errorf(sluice.Unavailable, "account %s does not run", name).WithHint("it is started by: sluice run")
	}
	return use(account)
}
