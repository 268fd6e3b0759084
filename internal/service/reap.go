package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/dataset"
)

// A Reaper deletes what has expired. What it deletes depends on the store, the accounts and the clock alone, so it may
// be interrupted and repeated at any time.
type Reaper struct {
	Store    sluice.Store
	Movers   map[string]sluice.Mover
	Accounts map[string]sluice.Account // those that answer
	Now      func() time.Time
}

// Reaped is what a Reaper has deleted.
type Reaped struct {
	Checkpoints []sluice.CheckpointID `json:"checkpoints"`
	Branches    []sluice.Branch       `json:"branches"`
	Copies      []string              `json:"copies"` // account/namespace of scratches that something left behind
}

// Names names each thing that was deleted.
func (r Reaped) Names() (names []string) {
	for _, id := range r.Checkpoints {
		names = append(names, "the checkpoint "+string(id))
	}
	for _, b := range r.Branches {
		names = append(names, "the branch "+b.Name+" in "+b.Account+"/"+b.Namespace)
	}
	for _, c := range r.Copies {
		names = append(names, "the copy in "+c)
	}
	return names
}

// Reap deletes checkpoints, branches and copies whose time is over. A checkpoint stays while a deployment that has not
// ended, or whose undo can be gone on with, may need it; so do the copies of such a deployment. What cannot be deleted
// is in the error, and does not keep the rest.
func (r Reaper) Reap(ctx context.Context) (Reaped, error) {
	done := Reaped{[]sluice.CheckpointID{}, []sluice.Branch{}, []string{}} // in JSON not null
	checkpoints, err := r.Checkpoints(ctx)
	done.Checkpoints = append(done.Checkpoints, checkpoints...)
	expired, failed := r.expired(ctx)
	err = errors.Join(err, failed)
	for _, t := range expired {
		if ctx.Err() != nil {
			return done, ctx.Err()
		}
		if failed := r.remove(ctx, t, &done); failed != nil {
			err = errors.Join(err, fmt.Errorf("delete the copy in %s/%s: %w", t.Place.Name, t.Place.Namespace, failed))
		}
	}
	return done, err
}

func (r Reaper) remove(ctx context.Context, t Temporary, done *Reaped) error {
	tools := dataset.Tools{Movers: r.Movers, Now: r.Now}
	if t.Branch == nil {
		err := t.Remove(ctx, tools)
		if err == nil {
			done.Copies = append(done.Copies, t.Place.Name+"/"+t.Place.Namespace)
		}
		return err
	}
	deleted, err := reapBranch(ctx, r.Store, t, tools)
	if deleted && err == nil {
		done.Branches = append(done.Branches, *t.Branch)
	}
	return err
}

// Checkpoints deletes the checkpoints alone. One in the storage of an account that does not answer stays.
func (r Reaper) Checkpoints(ctx context.Context) (deleted []sluice.CheckpointID, err error) {
	all, err := r.Store.Checkpoints(ctx, "")
	if err != nil {
		return nil, err
	}
	expired := slices.DeleteFunc(all, func(c sluice.Checkpoint) bool { return !isExpired(c, r.Now()) })
	if len(expired) == 0 {
		return nil, nil
	}
	undoing, err := FailedUndos(ctx, r.Store, "")
	if err != nil {
		return nil, err
	}
	for _, c := range expired {
		if ctx.Err() != nil {
			return deleted, ctx.Err()
		}
		isReached := !c.Copy.InStorage() || r.Accounts[c.Account].Snapshots != nil
		if !isReached || slices.Contains(undoing, c.Deployment) ||
			sluice.ErrorCode(unneeded(ctx, r.Store, c)) == sluice.Conflict {
			continue
		}
		if failed := DeleteCheckpoint(ctx, r.Store, r.Movers, r.place(c), c); failed != nil {
			err = errors.Join(err, fmt.Errorf("delete the checkpoint %s: %w", c.ID, failed))
			continue
		}
		deleted = append(deleted, c.ID)
	}
	return deleted, err
}

// place returns where the checkpoint was taken. Its account may not answer: most movers do not need it.
func (r Reaper) place(c sluice.Checkpoint) sluice.Place {
	return sluice.Place{Name: c.Account, Namespace: c.Namespace, Account: r.Accounts[c.Account]}
}

// expired returns the branches and copies that may be deleted. An account that cannot be asked keeps what it has.
func (r Reaper) expired(ctx context.Context) ([]Temporary, error) {
	all, _ := temporaries(ctx, r.Accounts)
	all = slices.DeleteFunc(all, func(t Temporary) bool { return !t.IsExpired(r.Now()) })
	if len(all) == 0 {
		return nil, nil
	}
	running, err := r.Store.Unended(ctx)
	if err != nil {
		return nil, err
	}
	undoing, err := FailedUndos(ctx, r.Store, "")
	live := append(running, undoing...)
	return slices.DeleteFunc(all, func(t Temporary) bool {
		return t.Branch == nil && slices.Contains(live, t.Deployment)
	}), err
}

func isExpired(c sluice.Checkpoint, now time.Time) bool {
	return !c.Expires.IsZero() && c.Expires.Before(now)
}
