package data_test

import (
	"context"
	"time"

	"github.com/sluice-cd/sluice"
)

// fakeBeside is Jobs that hold locks, and read nothing. A lock stays when the process dies, as if its Job lived on.
type fakeBeside struct{ *world }

func (fakeBeside) Open(context.Context, sluice.Place, string) (map[string]sluice.Databases, func(), error) {
	return nil, nil, nil
}

func (b fakeBeside) Hold(ctx context.Context, _ sluice.Place, _ string) (map[string]sluice.Databases, func(), error) {
	err := b.effect(ctx, func() error {
		b.locked = false
		return nil
	})
	return map[string]sluice.Databases{"mongodb": fakeDatabases(b)}, func() {}, err
}

func (b fakeBeside) End(ctx context.Context, _ sluice.Place, _ string) error {
	return b.effect(ctx, func() error {
		b.locked = false
		return nil
	})
}

// Lockable implements sluice.Locker.
func (d fakeDatabase) Lockable(context.Context) error {
	if d.unlockable != "" {
		return sluice.Errorf(d.unlockable, "the database cannot be locked").WithHint("another login")
	}
	return nil
}

// Lock implements sluice.Locker.
func (d fakeDatabase) Lock(ctx context.Context, _ time.Duration) error {
	return d.effect(ctx, func() error {
		if d.locked {
			return sluice.Errorf(sluice.Conflict, "it is locked")
		}
		d.locked = true
		return d.Lockable(ctx)
	})
}

// Unlock implements sluice.Locker.
func (d fakeDatabase) Unlock(ctx context.Context) error {
	return d.effect(ctx, func() error {
		d.locked = false
		return d.lost
	})
}
