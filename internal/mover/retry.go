package mover

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/sluice-cd/sluice"
)

// DefaultPauses are those between the tries of a wrapped mover, about 15 seconds in all. Longer outages
// are the engine's to sit out, because it records them.
var DefaultPauses = []time.Duration{250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second}

// Retry returns a mover that tries every call of m again while it is Unavailable, once after each pause.
// Pauses are stretched at random by up to a quarter, so that many callers do not come back at once. Other
// errors, and the last one, are returned as they are.
func Retry(m sluice.Mover, pauses []time.Duration) sluice.Mover {
	return retrying{m, pauses}
}

type retrying struct {
	next   sluice.Mover
	pauses []time.Duration
}

func (r retrying) Copy(ctx context.Context, id sluice.CheckpointID, volumes []sluice.Volume, report func(sluice.Amount)) (c sluice.Copy, err error) {
	err = r.again(ctx, func() error {
		c, err = r.next.Copy(ctx, id, volumes, report)
		return err
	})
	return c, err
}

func (r retrying) Restore(ctx context.Context, c sluice.Copy, volumes []sluice.Volume, report func(sluice.Amount)) error {
	return r.again(ctx, func() error { return r.next.Restore(ctx, c, volumes, report) })
}

func (r retrying) Verify(ctx context.Context, c sluice.Copy, report func(sluice.Amount)) error {
	return r.again(ctx, func() error { return r.next.Verify(ctx, c, report) })
}

func (r retrying) Delete(ctx context.Context, c sluice.Copy) error {
	return r.again(ctx, func() error { return r.next.Delete(ctx, c) })
}

func (r retrying) again(ctx context.Context, call func() error) error {
	for _, pause := range r.pauses {
		err := call()
		if sluice.ErrorCode(err) != sluice.Unavailable || !wait(ctx, stretch(pause)) {
			return err
		}
	}
	return call()
}

func stretch(d time.Duration) time.Duration {
	return d + time.Duration(rand.Int64N(int64(d)/4+1)) //nolint:gosec // no secret depends on it
}

// wait reports whether the time passed before ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
