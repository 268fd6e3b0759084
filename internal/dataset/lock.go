package dataset

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
)

// QuiesceAuto is the mode that leaves to Sluice how writes are stopped.
const QuiesceAuto = "auto"

// inTurn reports whether the claims are cut by several snapshots, taken one after another: of several instants unless
// nobody writes meanwhile.
func inTurn(states []sluice.ClaimState) bool {
	return len(states) > 1 && !slices.ContainsFunc(states, func(s sluice.ClaimState) bool {
		return s.Way != sluice.CutSnapshot
	})
}

// locks reports whether the database must be locked while the claims are cut.
func (r Request) locks(states []sluice.ClaimState) bool {
	return inTurn(states) && r.Spec.Quiesce.Mode == QuiesceAuto && r.Spec.Engine != EngineFiles && r.Stopped == nil
}

// cutLocked cuts the claims while the database blocks writes. A Job beside it holds the lock, so that it ends whatever
// becomes of this process. What an interrupted call has cut is of another instant, and goes first.
func (r Request) cutLocked(ctx context.Context) (cut sluice.Cut, err error) {
	err = r.holding(ctx, func(locker sluice.Locker) error {
		if err := r.discard(ctx, r.generation()); err != nil {
			return err
		}
		r.say("locking the database of " + r.Target)
		began := r.Now()
		if err := locker.Lock(ctx, lease); err != nil {
			return r.notLocked(err)
		}
		cut, err = r.cutClaims(ctx)
		err = errors.Join(err, r.unlock(ctx, locker))
		cut.Pause += r.Now().Sub(began)
		return err
	})
	if err != nil && ctx.Err() == nil {
		return cut, errors.Join(err, r.discard(ctx, r.generation()))
	}
	return cut, err
}

// unlock also unlocks if ctx has ended.
func (r Request) unlock(ctx context.Context, locker sluice.Locker) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*afterwards)
	defer cancel()
	err := locker.Unlock(ctx)
	if sluice.ErrorCode(err) == sluice.Failed {
		return sluice.Errorf(sluice.Failed, "%w", err).WithHint("%s", insteadOfLock).At(r.Spec.Pos)
	}
	return err
}

// holding opens the database in the Job that holds locks, for as long as use takes.
func (d Dataset) holding(ctx context.Context, use func(sluice.Locker) error) error {
	return d.through(ctx, d.holder, func(db sluice.Database) error {
		locker, ok := db.(sluice.Locker)
		if !ok {
			return d.noLock()
		}
		return use(locker)
	})
}

// holder returns what opens the database for a lock. The caller calls leave.
func (d Dataset) holder(ctx context.Context) (databases sluice.Databases, leave func() error, err error) {
	var by map[string]sluice.Databases
	closed := func() {}
	if d.Beside != nil {
		by, closed, err = d.Beside.Hold(ctx, d.Place, d.Key)
	}
	switch {
	case err != nil:
		return nil, nil, errors.Join(err, d.end(ctx))
	case by == nil:
		return nil, nil, sluice.Errorf(sluice.Unsupported, "no Job beside the database of %s can hold a lock", d.Target).
			WithHint("%s", insteadOfLock).At(d.Spec.Pos)
	}
	return by[d.Spec.Engine], func() error { closed(); return d.end(ctx) }, nil
}

func (d Dataset) noLock() error {
	return sluice.Errorf(sluice.Unsupported, "a database of the engine %q cannot block writes while it is copied",
		d.Spec.Engine)
}

// insteadOfLock are the choices of who cannot have a lock.
const insteadOfLock = "write quiesce: none if the claims need not be of one instant, quiesce: stop to stop the " +
	"workload for the copy, or commands of your own that stop writes"

// notLocked says what else can be done.
func (d Dataset) notLocked(err error) error {
	switch sluice.ErrorCode(err) {
	case sluice.Unsupported:
		return sluice.Errorf(sluice.Unsupported, "the claims %s of %s get several snapshots, and %w",
			strings.Join(d.Spec.Claims, ", "), d.Target, err).WithHint("%s", insteadOfLock).At(d.Spec.Pos)
	case sluice.Denied:
		return sluice.Errorf(sluice.Denied, "the claims %s of %s get several snapshots, and %w",
			strings.Join(d.Spec.Claims, ", "), d.Target, err).
			WithHint("%s; or %s", sluice.ErrorHint(err), insteadOfLock).At(d.Spec.Pos)
	}
	return err
}

// lockNote says what the lock means, and refuses a server that has none. A server that does not answer is only noted.
func (r Request) lockNote(ctx context.Context, n int) (string, error) {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	asking := r.Dataset
	asking.Beside = nil // it reads no data
	err := asking.with(limited, func(db sluice.Database) error {
		locker, ok := db.(sluice.Locker)
		if !ok {
			return r.noLock()
		}
		return locker.Lockable(limited)
	})
	switch sluice.ErrorCode(err) {
	case sluice.Unsupported, sluice.Denied:
		return "", r.notLocked(err)
	}
	note := fmt.Sprintf("locks the database of %s while the %d snapshots are taken: writes wait, for %s at most", r.Target,
		n, lease)
	if last, ok := r.last(ctx); ok && last.Pause > 0 {
		note += fmt.Sprintf("; the last time that took %s", last.Pause.Round(100*time.Millisecond))
	} else {
		note += "; that mostly takes a few seconds"
	}
	if err != nil {
		note += "; it is not known whether it can be locked: " + err.Error()
	}
	return note, ctx.Err()
}
