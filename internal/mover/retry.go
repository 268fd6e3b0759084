package mover

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/sluice-cd/sluice"
)

// DefaultPauses are the pauses between the tries of a wrapped mover, about 15 seconds in all. The engine handles longer
// outages, because it records them and a person sees them.
var DefaultPauses = []time.Duration{
	250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second,
}

// Retry returns a mover that tries every call of m again while it is Unavailable, once after each pause. A try that
// itself took as long as the next pauses stands for them, except for the last one. Work that ended as Unavailable is
// begun again. Pauses are stretched at random by up to a quarter, so that many callers do not try again at once. Other
// errors, and the last one, are returned as they are.
func Retry(m sluice.Mover, pauses []time.Duration) sluice.Mover {
	return retrying{m, pauses}
}

type retrying struct {
	next   sluice.Mover
	pauses []time.Duration
}

func (r retrying) Begin(ctx context.Context, t sluice.Transfer) error {
	return r.again(ctx, func() error { return r.next.Begin(ctx, t) })
}

func (r retrying) Follow(
	ctx context.Context, t sluice.Transfer, report func(sluice.Amount),
) (c sluice.Copy, err error) {
	begun := true
	err = r.again(ctx, func() error {
		if !begun {
			c, err = Run(ctx, r.next, t, report)
			return err
		}
		begun = false
		c, err = r.next.Follow(ctx, t, report)
		return err
	})
	return c, err
}

func (r retrying) Find(ctx context.Context, t sluice.Transfer) (c sluice.Copy, done bool, err error) {
	err = r.again(ctx, func() error {
		c, done, err = r.next.Find(ctx, t)
		return err
	})
	return c, done, err
}

func (r retrying) Cancel(ctx context.Context, t sluice.Transfer) error {
	return r.again(ctx, func() error { return r.next.Cancel(ctx, t) })
}

func (r retrying) Delete(ctx context.Context, at sluice.Place, id string) error {
	return r.again(ctx, func() error { return r.next.Delete(ctx, at, id) })
}

func (r retrying) again(ctx context.Context, call func() error) error {
	for pauses := r.pauses; ; pauses = pauses[1:] {
		began := time.Now()
		err := call()
		pauses = unspent(pauses, time.Since(began))
		if len(pauses) == 0 || sluice.ErrorCode(err) != sluice.Unavailable || !wait(ctx, stretch(pauses[0])) {
			return err
		}
	}
}

// unspent returns the pauses for which a try did not stand already: a server that does not answer takes time itself.
func unspent(pauses []time.Duration, took time.Duration) []time.Duration {
	for len(pauses) > 1 && took >= pauses[0] {
		took -= pauses[0]
		pauses = pauses[1:]
	}
	return pauses
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
