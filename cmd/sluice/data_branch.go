package main

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/api"
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
	if a.remote != nil {
		made, err := a.remote.MakeBranch(ctx, api.BranchRequest{
			Checkpoint: checkpoint, Account: b.Account, Namespace: b.Namespace, Name: b.Name,
			Seconds: int64(o.expires.Seconds()),
		}, a.work())
		if err != nil {
			return err
		}
		return a.showReached(made)
	}
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
	made, err := w.MakeBranch(ctx, p, b, a.step(), a.dir.Change)
	if err != nil {
		return err
	}
	return a.showReached(made)
}

// work shows on the terminal what a server does.
func (a *app) work() func(api.WorkProgress) {
	step := a.step()
	return func(p api.WorkProgress) { step(sluice.Progress{Message: p.Message, Amount: p.Amount}) }
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

// showBranch says what the branch is and how it is reached.
func (a *app) showBranch(ctx context.Context, t service.Temporary) (err error) {
	r := service.ReachedBranch{Branch: *t.Branch}
	if a.remote != nil {
		r, err = a.remote.Branch(ctx, *t.Branch)
	} else {
		r.Entrances, err = t.Entrances(ctx)
	}
	if err != nil {
		return err
	}
	return a.showReached(r)
}

func (a *app) showReached(r service.ReachedBranch) error {
	if a.json() {
		return present.JSON(a.out, "Branch", r)
	}
	var account config.Account // of a server it is not known how to reach it from here
	if a.remote == nil {
		c, err := a.configuration("")
		if err != nil {
			return err
		}
		account = c.Accounts[r.Account]
	}
	return present.Branch(a.out, r.Branch, r.Entrances, account)
}
