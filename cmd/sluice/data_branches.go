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
	show := func(list []sluice.Branch, silent map[string]error) error {
		a.noteSilent(silent)
		return a.list("BranchList", list, "there are no branches", present.Branches(list))
	}
	if a.remote != nil {
		list, silent, err := a.remote.Branches(ctx)
		if err != nil {
			return err
		}
		return show(list, silent)
	}
	return a.answering(ctx, func(accounts map[string]sluice.Account) error {
		return show(service.Branches(ctx, accounts))
	})
}

func (a *app) noteSilent(silent map[string]error) {
	for _, name := range slices.Sorted(maps.Keys(silent)) {
		a.note("warning: the account %s cannot be asked: %v", name, silent[name])
	}
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
	a.noteSilent(unopened)
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
	if sluice.ErrorCode(err) != sluice.NotFound || arg == "" {
		return err
	}
	if a.remote != nil {
		b, err := a.findRemoteBranch(ctx, arg)
		if err != nil {
			return err
		}
		return branch(service.Temporary{Branch: &b})
	}
	return a.answering(ctx, func(accounts map[string]sluice.Account) error {
		t, err := service.FindBranch(ctx, accounts, arg)
		if err != nil {
			return err
		}
		return branch(t)
	})
}

func (a *app) findRemoteBranch(ctx context.Context, name string) (sluice.Branch, error) {
	list, silent, err := a.remote.Branches(ctx)
	if err != nil {
		return sluice.Branch{}, err
	}
	chosen, err := service.ChooseBranch(list, silent, name)
	if err != nil {
		return sluice.Branch{}, err
	}
	return list[chosen], nil
}
