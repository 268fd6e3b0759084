package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/local"
	"github.com/sluice-cd/sluice/internal/local/agent"
)

func newLocalDown(a *app) *cobra.Command {
	account, yes := "", false
	cmd := &cobra.Command{
		Use: "down", Short: "End everything that runs on this machine",
		Long: "Down stops every pod of the local accounts and their agents. Volumes, checkpoints and the history stay. While a\n" +
			"deployment runs it has to be confirmed.",
		Example: "  sluice local down\n  sluice local down --account local --yes",
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.localDown(cmd.Context(), account, yes) },
	}
	cmd.Flags().StringVar(&account, "account", "", "only this account")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "also while a deployment runs")
	return cmd
}

type downOutput struct {
	Accounts []string `json:"accounts"`
}

func (a *app) localDown(ctx context.Context, only string, yes bool) error {
	w, err := a.wiring("")
	if err != nil {
		return err
	}
	if err := a.confirmDown(ctx, yes); err != nil {
		return err
	}
	down := downOutput{Accounts: []string{}}
	known, err := w.localAccounts()
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		c := known[name]
		if only != "" && name != only || !w.up(ctx, name) {
			continue
		}
		if err := w.down(ctx, c); err != nil {
			return err
		}
		down.Accounts = append(down.Accounts, name)
	}
	if only != "" && len(down.Accounts) == 0 {
		return sluice.Errorf(sluice.NotFound, "no account %q runs here", only).WithHint("the accounts are: %s", names(known))
	}
	return a.downDone(down)
}

// up reports whether anything of the account may be left running.
func (w *wiring) up(ctx context.Context, name string) bool {
	dir := w.dir.account(name)
	_, err := os.Stat(dir)
	return !errors.Is(err, fs.ErrNotExist) && (!agent.IsDown(dir) || runs(ctx, dir))
}

// down ends an account, also one whose agent was killed: nothing is brought back first.
func (w *wiring) down(ctx context.Context, c config.Account) error {
	return local.Open(local.Config{Dir: w.dir.account(c.Name), Name: c.Name}).Down(ctx)
}

func (a *app) downDone(down downOutput) error {
	if a.json() {
		return writeJSON(a.out, down)
	}
	if len(down.Accounts) == 0 {
		_, err := fmt.Fprintln(a.out, "nothing runs here")
		return err
	}
	for _, name := range down.Accounts {
		fmt.Fprintf(a.out, "account %s: everything ended\n", name)
	}
	return nil
}

func (a *app) confirmDown(ctx context.Context, yes bool) error {
	running := 0
	err := a.reading(ctx, func(store sluice.Store) error {
		list, err := store.Unended(ctx)
		running = len(list)
		return err
	})
	if sluice.ErrorCode(err) == sluice.NotFound || err == nil && running == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	a.note("%s not ended yet", plural(running, "deployment"))
	return a.confirm("End everything all the same?", yes)
}

func newLocalAgent(*app) *cobra.Command {
	dir := ""
	cmd := &cobra.Command{
		Use: "agent", Short: "Carry out a local account (started by sluice itself)", Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error { return local.RunAgent(cmd.Context(), dir) },
	}
	cmd.Flags().StringVar(&dir, "dir", "", "directory of the account")
	return cmd
}
