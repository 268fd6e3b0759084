package remote

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/beside"
)

// locks are those that the Job holds for calls that are still open.
type locks struct {
	mu   sync.Mutex
	held map[string]*held
}

// A held lock belongs to one open call. The code that removes it from the locks ends it.
type held struct {
	database sluice.Database
	released chan struct{} // closed when the lock has ended
}

func (l *locks) put(t target, h *held) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[t.key()] != nil {
		return false
	}
	l.held[t.key()] = h
	return true
}

func (l *locks) take(t target) *held {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.held[t.key()]
	delete(l.held, t.key())
	return h
}

func (t target) key() string { return t.Engine + " " + t.URI }

func lockable(ctx context.Context, db sluice.Database, t target, _ func(sluice.Amount)) (done, error) {
	locker, ok := db.(sluice.Locker)
	if !ok {
		return done{}, unable(t, "locked")
	}
	return done{}, locker.Lockable(ctx)
}

// lock locks the database until the call ends, by its caller or with the connection, or until unlock. It reports once
// when the lock holds.
func (h *handler) lock(ctx context.Context, c lockCall, report func(sluice.Amount)) (done, error) {
	return done{}, h.with(ctx, c.target, func(db sluice.Database) error {
		locker, ok := db.(sluice.Locker)
		if !ok {
			return unable(c.target, "locked")
		}
		if err := locker.Lock(ctx, c.Lease); err != nil {
			return err
		}
		mine := &held{database: db, released: make(chan struct{})}
		if !h.locks.put(c.target, mine) {
			return sluice.Errorf(sluice.Conflict, "the database is locked already by another call")
		}
		report(sluice.Amount{})
		select {
		case <-mine.released:
			return nil
		case <-ctx.Done():
		}
		if h.locks.take(c.target) == nil {
			<-mine.released // unlock came first
		}
		return nil // closing the database ends the lock
	})
}

// unlock ends the lock of an open call, or what a killed Job left.
func (h *handler) unlock(ctx context.Context, t target, _ func(sluice.Amount)) (unlockResult, error) {
	if mine := h.locks.take(t); mine != nil {
		defer close(mine.released)
		return unlockResult{Held: true}, t.redacted(mine.database.(sluice.Locker).Unlock(ctx))
	}
	return unlockResult{}, h.with(ctx, t, func(db sluice.Database) error {
		locker, ok := db.(sluice.Locker)
		if !ok {
			return unable(t, "locked")
		}
		return locker.Unlock(ctx)
	})
}

// forgetting bounds how long Sluice tries to forget what it kept for a lock that has ended.
const forgetting = 30 * time.Second

// locking is Sluice's side of a lock.
type locking struct {
	mu  sync.Mutex
	end func() // ends the call that holds the lock, and waits for that; nil: there is no lock
}

func (l *locking) isHeld() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end != nil
}

// Lockable implements [sluice.Locker].
func (d *database) Lockable(ctx context.Context) error {
	if d.locking.isHeld() {
		return sluice.Errorf(sluice.Conflict, "the database is locked already")
	}
	_, err := beside.Call[target, done](ctx, d.session, pathLockable, d.target, nil)
	return err
}

// Lock implements [sluice.Locker]. The Job holds the lock and its lease, and ends it if the connection breaks or if
// the pod is told to end. If the pod is killed, the next one ends it: the cluster knows that before there is a lock.
func (d *database) Lock(ctx context.Context, lease time.Duration) error {
	if err := d.Lockable(ctx); err != nil {
		return err // and what is kept below would end the lock of somebody else
	}
	if err := d.session.Keep(ctx, pathUnlock, d.target); err != nil {
		return err
	}
	err := d.hold(ctx, lease)
	if err == nil || sluice.ErrorCode(err) == sluice.Unavailable { // the pod may have locked before it was killed
		return err
	}
	return errors.Join(err, d.forget(ctx))
}

// forget ends what Lock kept, also if ctx has ended.
func (d *database) forget(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), forgetting)
	defer cancel()
	return d.session.Forget(ctx)
}

// hold begins the call that holds the lock.
func (d *database) hold(ctx context.Context, lease time.Duration) error {
	l := d.locking
	l.mu.Lock()
	defer l.mu.Unlock()
	holding, cancel := context.WithCancel(context.WithoutCancel(ctx))
	locked, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := beside.Call[lockCall, done](holding, d.session, pathLock, lockCall{d.target, lease},
			func(sluice.Amount) { close(locked) })
		ended <- err
	}()
	select {
	case <-locked:
		l.end = func() { cancel(); <-ended }
		return nil
	case err := <-ended:
		cancel()
		return err
	case <-ctx.Done():
		cancel()
		<-ended
		return sluice.Errorf(sluice.Cancelled, "stopped before the database was locked: %w", ctx.Err())
	}
}

// Unlock implements [sluice.Locker]. If it cannot reach the Job, the call stays kept.
func (d *database) Unlock(ctx context.Context) error {
	l := d.locking
	l.mu.Lock()
	defer l.mu.Unlock()
	r, err := beside.Call[target, unlockResult](ctx, d.session, pathUnlock, d.target, nil)
	if l.end != nil {
		l.end()
	}
	held := l.end != nil
	l.end = nil
	if sluice.ErrorCode(err) == sluice.Unavailable {
		return err
	}
	err = errors.Join(err, d.forget(ctx))
	if err == nil && held && !r.Held {
		return sluice.Errorf(sluice.Unavailable, "the lock of the database ended when the connection to its Job broke").
			WithHint("what was copied meanwhile cannot be used; copy again")
	}
	return err
}
