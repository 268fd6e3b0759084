package remote

import (
	"context"

	"github.com/sluice-cd/sluice"
)

// Ending returns a mover that removes the Job of a transfer once it is over, and otherwise does as m does. It does not
// wait until the Job is gone; Cancel does.
func Ending(m sluice.Mover, t *Trees) sluice.Mover { return ending{m, t} }

type ending struct {
	sluice.Mover
	trees *Trees
}

// Follow implements [sluice.Mover]. The Job of work that may go on stays: for the next try, or for another process.
func (e ending) Follow(
	ctx context.Context, t sluice.Transfer, report func(sluice.Amount),
) (sluice.Copy, error) {
	c, err := e.Mover.Follow(ctx, t, report)
	switch sluice.ErrorCode(err) {
	case sluice.Unavailable, sluice.Cancelled, sluice.NotFound:
		return c, err
	}
	e.trees.Leave(t)
	return c, err
}

// Find implements [sluice.Mover].
func (e ending) Find(ctx context.Context, t sluice.Transfer) (c sluice.Copy, done bool, err error) {
	c, done, err = e.Mover.Find(ctx, t)
	if done {
		e.trees.Leave(t)
	}
	return c, done, err
}

// Cancel implements [sluice.Mover].
func (e ending) Cancel(ctx context.Context, t sluice.Transfer) error {
	if err := e.Mover.Cancel(ctx, t); err != nil {
		return err
	}
	return e.trees.End(ctx, t)
}

// Delete implements [sluice.Mover].
func (e ending) Delete(ctx context.Context, at sluice.Place, id string) error {
	if err := e.Mover.Delete(ctx, at, id); err != nil {
		return err
	}
	return e.trees.End(ctx, sluice.Transfer{Kind: sluice.TransferCopy, ID: id, Place: at})
}
