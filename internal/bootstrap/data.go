package bootstrap

import (
	"context"
	"errors"
	"iter"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/mover"
	"github.com/sluice-cd/sluice/internal/server"
	"github.com/sluice-cd/sluice/internal/service"
)

// VerifyCheckpoint proves that the checkpoint can be restored. Unsupported: this version lacks its mover.
func (w *Wiring) VerifyCheckpoint(ctx context.Context, c sluice.Checkpoint, report func(sluice.Amount)) error {
	m, ok := w.Movers()[c.Copy.Mover]
	if !ok {
		return sluice.Errorf(sluice.Unsupported, "checkpoint %s was copied by %q, which this version does not have",
			c.ID, c.Copy.Mover)
	}
	at, err := w.Place(ctx, c)
	if err != nil {
		return err
	}
	verify := sluice.Transfer{Kind: sluice.TransferVerify, ID: string(c.ID), Place: at, Copy: c.Copy}
	_, err = mover.Run(ctx, m, verify, report)
	return err
}

// MakeBranch makes the branch by the plan of [service.PlanBranch], or goes on with making it. change hands out the
// store.
func (w *Wiring) MakeBranch(
	ctx context.Context, p *sluice.Plan, b sluice.Branch, report func(sluice.Progress),
	change func(context.Context, func(sluice.Store) error) error,
) (made service.ReachedBranch, err error) {
	steps, accounts, err := w.Running(ctx, p)
	if err != nil {
		return made, err
	}
	if _, runs := accounts[b.Account]; !runs {
		_, err := w.Account(ctx, b.Account)
		return made, err
	}
	sc := sluice.StepContext{Deployment: "branch", Plan: p, Target: p.Targets[0], Step: p.Steps[0], Report: report}
	err = change(ctx, func(store sluice.Store) (err error) {
		b, err = service.MakeBranch(ctx, store, steps, sc, b)
		return err
	})
	if err != nil {
		return made, err
	}
	only := map[string]sluice.Account{b.Account: accounts[b.Account]}
	t, err := service.FindBranch(ctx, only, b.Account+"/"+b.Namespace)
	if err != nil {
		return made, err
	}
	made.Branch = *t.Branch
	made.Entrances, err = t.Entrances(ctx)
	return made, err
}

// copies is how a server reaches checkpoints and branches.
type copies struct{ site }

var _ server.Copies = copies{}

func (c copies) CheckBranch(b sluice.Branch) error { return service.CheckBranch(b, c.config) }

func (c copies) MakeBranch(
	ctx context.Context, p *sluice.Plan, b sluice.Branch, report func(sluice.Progress),
) (made service.ReachedBranch, err error) {
	w := c.wiring()
	defer func() { err = errors.Join(err, w.Close()) }()
	return w.MakeBranch(ctx, p, b, report, func(_ context.Context, use func(sluice.Store) error) error {
		return use(c.store)
	})
}

func (c copies) Verify(ctx context.Context, at sluice.Checkpoint, report func(sluice.Amount)) (err error) {
	w := c.wiring()
	defer func() { err = errors.Join(err, w.Close()) }()
	return w.VerifyCheckpoint(ctx, at, report)
}

func (c copies) Answering(ctx context.Context, use func(server.Answering) error) (err error) {
	w := c.wiring()
	defer func() { err = errors.Join(err, w.Close()) }()
	a := server.Answering{Movers: w.Movers()}
	if a.Accounts, a.Unopened, err = w.Answering(ctx); err != nil {
		return err
	}
	return use(a)
}

// pods is how a server reads the output of pods. The redactor cleans it: its reader may not know the secrets.
type pods struct{ site }

var _ server.Pods = pods{}

func (p pods) Logs(ctx context.Context, pod server.PodName, lines int) (list []string, err error) {
	w := p.wiring()
	defer func() { err = errors.Join(err, w.Close()) }()
	account, err := w.Account(ctx, pod.Account)
	if err != nil {
		return nil, err
	}
	list, err = account.Logs(ctx, pod.Namespace, pod.Name, lines)
	for i := range list {
		list[i] = p.dir.redactor.Text(list[i])
	}
	return list, err
}

func (p pods) Tail(ctx context.Context, pod server.PodName) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		w := p.wiring()
		defer func() { _ = w.Close() }() // it was only read from
		account, err := w.Account(ctx, pod.Account)
		if err != nil {
			yield("", err)
			return
		}
		for line, err := range account.Tail(ctx, pod.Namespace, pod.Name) {
			if !yield(p.dir.redactor.Text(line), err) {
				return
			}
		}
	}
}
