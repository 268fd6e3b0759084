package server

import (
	"context"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/service"
)

// Copies is how a server reaches checkpoints and branches, in the accounts of its site.
type Copies interface {
	// CheckBranch is that of [service.CheckBranch].
	CheckBranch(b sluice.Branch) error
	// MakeBranch makes the branch by the plan of [service.PlanBranch]: see [service.MakeBranch].
	MakeBranch(ctx context.Context, p *sluice.Plan, b sluice.Branch, report func(sluice.Progress)) (
		service.ReachedBranch, error)
	// Verify proves that the checkpoint can be restored. It changes nothing.
	Verify(ctx context.Context, c sluice.Checkpoint, report func(sluice.Amount)) error
	// Answering hands out the accounts that can be asked without starting one, until use returns.
	Answering(ctx context.Context, use func(Answering) error) error
}

// Answering are the accounts that can be asked, and the movers of their data.
type Answering struct {
	Accounts map[string]sluice.Account
	Unopened map[string]error // accounts that cannot be asked, and why
	Movers   map[string]sluice.Mover
}

// VerifyCheckpoint begins to prove that a checkpoint can be restored. The result of the work is the checkpoint. key is
// that of [Work].
func (s *Server) VerifyCheckpoint(
	ctx context.Context, c access.Caller, id sluice.CheckpointID, key string,
) (*Work, error) {
	found, err := s.holds(ctx, c, id)
	if err != nil {
		return nil, err
	}
	return s.begin(c, key, "verify "+string(id), func(ctx context.Context, report func(sluice.Progress)) (any, error) {
		err := s.Copies.Verify(ctx, found, func(n sluice.Amount) { report(sluice.Progress{Amount: &n}) })
		return found, err
	})
}

// Reap begins to delete what has expired: see [service.Reaper]. The result of the work is a [service.Reaped], also if
// something could not be deleted.
func (s *Server) Reap(ctx context.Context, c access.Caller, key string) (*Work, error) {
	if err := s.Administer(ctx, c, "delete what has expired"); err != nil {
		return nil, err
	}
	return s.begin(c, key, "reap", func(ctx context.Context, _ func(sluice.Progress)) (any, error) {
		var reaped service.Reaped
		err := s.Copies.Answering(ctx, func(a Answering) (err error) {
			r := service.Reaper{Store: s.Store, Movers: a.Movers, Accounts: a.Accounts, Now: s.Now}
			reaped, err = r.Reap(ctx)
			return err
		})
		return reaped, err
	})
}

// A BranchRequest asks for a branch of a checkpoint.
type BranchRequest struct {
	Checkpoint, Account, Namespace, Name string
	Lasts                                time.Duration // from now
}

// branch returns what is asked for, for the caller.
func (q BranchRequest) branch(c access.Caller, now time.Time) sluice.Branch {
	now = now.UTC().Truncate(time.Second)
	return sluice.Branch{
		Name: q.Name, Account: q.Account, Namespace: q.Namespace, Owner: c.Actor.Name,
		MadeAt: now, Expires: now.Add(q.Lasts),
	}
}

// MakeBranch begins to make a branch, or to go on with one that was interrupted: see [service.MakeBranch]. The result
// of the work is a [service.ReachedBranch]. While another process makes it, the work waits. key is that of [Work].
func (s *Server) MakeBranch(ctx context.Context, c access.Caller, q BranchRequest, key string) (*Work, error) {
	if err := c.Need(access.RestoreData, "", ""); err != nil { // before anything is said of accounts
		return nil, err
	}
	b := q.branch(c, s.Now())
	if err := s.Copies.CheckBranch(b); err != nil {
		return nil, err
	}
	p, b, err := service.PlanBranch(ctx, s.Visible(c), q.Checkpoint, b)
	if err != nil {
		return nil, err
	}
	if _, err := s.holds(ctx, c, b.Checkpoint); err != nil {
		return nil, err
	}
	asked := "branch " + string(b.Checkpoint) + " " + b.Account + "/" + b.Namespace + " " + b.Name
	return s.begin(c, key, asked, func(ctx context.Context, report func(sluice.Progress)) (any, error) {
		if err := s.awaitBranch(ctx, b, report); err != nil {
			return nil, err
		}
		return s.Copies.MakeBranch(ctx, p, b, report)
	})
}

// awaitBranch waits until nobody makes or deletes the branch: the server that a caller asked before may still do it.
func (s *Server) awaitBranch(ctx context.Context, b sluice.Branch, report func(sluice.Progress)) error {
	look := time.NewTicker(turnLook)
	defer look.Stop()
	for {
		leased, err := s.Store.Leased(ctx, service.BranchLease(b))
		if err != nil || !leased {
			return err
		}
		report(sluice.Progress{Message: "waiting for another sluice, which makes or deletes the branch"})
		select {
		case <-look.C: // the end of a lease brings no news
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Branches lists the branches of applications that the caller may view, and says which accounts cannot be asked. Why
// they cannot is told to those who may administer the server.
func (s *Server) Branches(ctx context.Context, c access.Caller) (
	list []sluice.Branch, silent map[string]error, err error,
) {
	list = []sluice.Branch{}
	err = s.Copies.Answering(ctx, func(a Answering) error {
		all, unanswered := service.Branches(ctx, a.Accounts)
		silent = unanswered
		for name, err := range a.Unopened {
			silent[name] = err
		}
		for _, b := range all {
			if c.May(access.View, b.Application, "") {
				list = append(list, b)
			}
		}
		return nil
	})
	for name, err := range silent {
		silent[name] = unreached(c, err)
	}
	return list, silent, err
}

// Branch returns a branch and how it is reached. NotFound: there is none, or the caller may not view it.
func (s *Server) Branch(
	ctx context.Context, c access.Caller, account, namespace string,
) (r service.ReachedBranch, err error) {
	err = s.withBranch(ctx, c, account, namespace, func(_ Answering, t service.Temporary) (err error) {
		r.Branch = *t.Branch
		r.Entrances, err = t.Entrances(ctx)
		return err
	})
	return r, err
}

// ExtendBranch changes until when a branch stays: see [service.ExtendBranch].
func (s *Server) ExtendBranch(
	ctx context.Context, c access.Caller, account, namespace string, until time.Time,
) (b sluice.Branch, err error) {
	err = s.withBranch(ctx, c, account, namespace, func(_ Answering, t service.Temporary) (err error) {
		if err := s.needBranch(ctx, c, t); err != nil {
			return err
		}
		b, err = service.ExtendBranch(ctx, s.Store, t, until, s.Now())
		return err
	})
	return b, err
}

// DeleteBranch deletes a branch with its namespace: see [service.DeleteBranch].
func (s *Server) DeleteBranch(ctx context.Context, c access.Caller, account, namespace string) error {
	return s.withBranch(ctx, c, account, namespace, func(a Answering, t service.Temporary) error {
		if err := s.needBranch(ctx, c, t); err != nil {
			return err
		}
		return service.DeleteBranch(ctx, s.Store, a.Movers, t)
	})
}

// needBranch is need for a caller who decides about a branch: it is a copy of a target's data.
func (s *Server) needBranch(ctx context.Context, c access.Caller, t service.Temporary) error {
	return s.need(ctx, c, sluice.AuditEntry{
		Verb: string(access.RestoreData), Application: t.Branch.Application, Target: t.Branch.Target,
		Reason: "the branch " + t.Branch.Account + "/" + t.Branch.Namespace,
	})
}

// withBranch hands out the branch in a namespace, if the caller may view it.
func (s *Server) withBranch(
	ctx context.Context, c access.Caller, account, namespace string, use func(Answering, service.Temporary) error,
) error {
	return s.Copies.Answering(ctx, func(a Answering) error {
		only, silent := map[string]sluice.Account{}, map[string]error{}
		if found, answers := a.Accounts[account]; answers {
			only[account] = found
		}
		if err := a.Unopened[account]; err != nil {
			silent[account] = unreached(c, err)
		}
		name := account + "/" + namespace
		t, err := service.FindBranch(ctx, only, name)
		switch {
		case err == nil && c.May(access.View, t.Branch.Application, ""):
			return use(a, t)
		case err == nil || sluice.ErrorCode(err) == sluice.NotFound:
			_, err = service.ChooseBranch(nil, silent, name)
			return err
		}
		return unreached(c, err)
	})
}

// unreached is the error of an account. Why it cannot be asked is told to those who may administer the server.
func unreached(c access.Caller, err error) error {
	if c.MayEverywhere(access.Administer) {
		return err
	}
	return sluice.Errorf(sluice.ErrorCode(err), "the server cannot reach it now")
}
