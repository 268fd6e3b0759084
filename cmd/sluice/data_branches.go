package main

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/present"
	"github.com/sluice-cd/sluice/internal/service"
)

// eitherWord names the argument of commands for checkpoints and branches.
const eitherWord = "CHECKPOINT|BRANCH"

func newDataBranches(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "branches", Short: "List the branches in all accounts",
		Long: "Branches asks every account which branches it has, also those of other people. It asks a local account\n" +
			"only if that runs.",
		Example: "  sluice data branches\n  sluice data branches --output json",
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.dataBranches(cmd.Context()) },
	}
}

func (a *app) dataBranches(ctx context.Context) error {
	return a.answering(ctx, func(accounts map[string]sluice.Account) error {
		list, silent := service.Branches(ctx, accounts)
		for _, name := range slices.Sorted(maps.Keys(silent)) {
			a.note("warning: the account %s cannot be asked: %v", name, silent[name])
		}
		return a.list("BranchList", list, "there are no branches", present.Branches(list))
	})
}

// answering hands out the accounts that can be asked without starting one.
func (a *app) answering(ctx context.Context, use func(map[string]sluice.Account) error) (err error) {
	w, err := a.wiring()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	accounts, unopened, err := w.Answering(ctx)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(unopened)) {
		a.note("warning: the account %s cannot be asked: %v", name, unopened[name])
	}
	return use(accounts)
}

// eitherOf does something with the checkpoint that arg is the beginning of, or with the branch of that name if there is
// no such checkpoint.
func (a *app) eitherOf(
	ctx context.Context, arg string, checkpoint func(sluice.Checkpoint) error, branch func(service.Temporary) error,
) error {
	c, err := a.checkpoint(ctx, arg)
	if err == nil {
		return checkpoint(c)
	}
	if sluice.ErrorCode(err) != sluice.NotFound || arg == "" || a.remote != nil {
		return err
	}
	return a.answering(ctx, func(accounts map[string]sluice.Account) error {
		t, err := service.FindBranch(ctx, accounts, arg)
		if err != nil {
			return err
		}
		return branch(t)
	})
}
