package main

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/bootstrap"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/present"
	"github.com/sluice-cd/sluice/internal/service"
)

type branchOptions struct {
	to, name string
	expires  time.Duration
}

func newDataBranch(a *app) *cobra.Command {
	o := branchOptions{}
	cmd := &cobra.Command{
		Use: "branch CHECKPOINT", Short: "Make a copy of a checkpoint to work with",
		Long: "Branch makes a namespace, restores the checkpoint there and starts its database on it. Nothing outside\n" +
			"the namespace reaches the copy, and the copy reaches nothing outside. It is deleted when it expires, in a\n" +
			"cluster also if Sluice is gone. A namespace that exists is never touched. The fields that the checkpoint\n" +
			"masks are masked in the branch; without a mask the branch holds the data as it is.\n\n" +
			"The same command again goes on with a branch that was interrupted. It never changes the data of a branch.",
		Example: "  sluice data branch 1a21e29cca7-78bdfc8a-staging-before-0 --to local/dev-anna\n" +
			"  sluice data branch 1a21e --to cluster02/dev-anna --name anna --expires 8h",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.dataBranch(cmd.Context(), args[0], o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.to, "to", "", "ACCOUNT/NAMESPACE of the branch; the namespace must not exist")
	f.StringVar(&o.name, "name", "", "name of the branch (default: the namespace)")
	f.DurationVar(&o.expires, "expires", 24*time.Hour, "how long from now the branch stays")
	return cmd
}

// branch returns the branch that the user asks for.
func (o branchOptions) branch() sluice.Branch {
	account, namespace, _ := strings.Cut(o.to, "/")
	now := time.Now().UTC().Truncate(time.Second)
	return sluice.Branch{
		Name: cmp.Or(o.name, namespace), Account: account, Namespace: namespace, Owner: actor().Name,
		MadeAt: now, Expires: now.Add(o.expires),
	}
}

func (a *app) dataBranch(ctx context.Context, checkpoint string, o branchOptions) error {
	b := o.branch()
	c, err := a.configuration("")
	if err != nil {
		return err
	}
	if err := service.CheckBranch(b, c); err != nil {
		return err
	}
	var p *sluice.Plan
	err = a.reading(ctx, func(store sluice.Store) (err error) {
		p, b, err = service.PlanBranch(ctx, store, checkpoint, b)
		return err
	})
	if err != nil {
		return err
	}
	return a.makeBranch(ctx, c, p, b)
}

func (a *app) makeBranch(ctx context.Context, c *config.Config, p *sluice.Plan, b sluice.Branch) (err error) {
	w := bootstrap.NewWiring(a.dir, c)
	defer func() { err = errors.Join(err, w.Close()) }()
	steps, accounts, err := w.Running(ctx, p)
	if err != nil {
		return err
	}
	if _, runs := accounts[b.Account]; !runs {
		_, err := w.Account(ctx, b.Account)
		return err
	}
	sc := sluice.StepContext{Deployment: "branch", Plan: p, Target: p.Targets[0], Step: p.Steps[0], Report: a.step()}
	err = a.dir.Change(ctx, func(store sluice.Store) (err error) {
		b, err = service.MakeBranch(ctx, store, steps, sc, b)
		return err
	})
	if err != nil {
		return err
	}
	t, err := service.FindBranch(ctx, map[string]sluice.Account{b.Account: accounts[b.Account]}, b.Account+"/"+b.Namespace)
	if err != nil {
		return err
	}
	return a.showBranch(ctx, t)
}

// step shows on the terminal what a step does.
func (a *app) step() func(sluice.Progress) {
	meter, said := a.meter(), ""
	return func(p sluice.Progress) {
		if p.Amount != nil {
			meter(*p.Amount)
		}
		if p.Message != said && p.Amount == nil {
			a.note("%s", p.Message)
			said = p.Message
		}
	}
}

type branchOutput struct {
	sluice.Branch
	Entrances []sluice.Entrance `json:"entrances,omitempty"`
}

// showBranch says what the branch is and how it is reached.
func (a *app) showBranch(ctx context.Context, t service.Temporary) error {
	entrances, err := t.Entrances(ctx)
	if err != nil {
		return err
	}
	if a.json() {
		return present.JSON(a.out, "Branch", branchOutput{*t.Branch, entrances})
	}
	c, err := a.configuration("")
	if err != nil {
		return err
	}
	return present.Branch(a.out, *t.Branch, entrances, c.Accounts[t.Branch.Account])
}
