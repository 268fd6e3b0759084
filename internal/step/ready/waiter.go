// Package ready waits for objects of an account: until a workload is ready, or until an object is as a step wants it.
package ready

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/sluice-cd/sluice"
)

// DefaultTimeout bounds a wait that declares no bound of its own.
const DefaultTimeout = 30 * time.Minute

// Glance bounds the one look that is taken after the deadline. So a step sees what happened while Sluice itself did not
// run, however long that was.
const Glance = 5 * time.Second

// errTimeout ends a watch at its deadline.
var errTimeout = errors.New("the time is over")

// IsTimeout reports whether a wait ended at its deadline.
func IsTimeout(err error) bool { return errors.Is(err, errTimeout) }

// A Waiter waits for objects of one account until a deadline. A wait that is repeated after a crash ends at the same
// instant.
type Waiter struct {
	Account  sluice.Account
	Deadline time.Time
	Now      func() time.Time
	Report   func(sluice.Progress)
}

// Watch calls look with the object now and whenever it changes, until look says that it is done or returns an error.
// At the deadline it returns an error for which IsTimeout is true. It skips an object that is being deleted.
func (w Waiter) Watch(
	ctx context.Context, ref sluice.Ref, look func(sluice.Object) (done bool, missing string, err error),
) error {
	return w.each(ctx, w.follow(ref), func(o sluice.Object) (bool, error) {
		done, missing, err := look(o)
		if !done && err == nil {
			w.Report(sluice.Progress{State: sluice.Running, Message: ref.String() + ": " + missing})
		}
		return done, err
	})
}

// Bounded returns a context that ends at the deadline, after a glance at the earliest.
func (w Waiter) Bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, max(w.Deadline.Sub(w.Now()), Glance), errTimeout)
}

// changes yields objects now and whenever they change.
type changes func(context.Context) iter.Seq2[sluice.Object, error]

func (w Waiter) follow(ref sluice.Ref) changes {
	return func(ctx context.Context) iter.Seq2[sluice.Object, error] { return w.Account.Follow(ctx, ref) }
}

// followKind is follow for all objects of the kind and namespace.
func (w Waiter) followKind(kind sluice.Ref) changes {
	return func(ctx context.Context) iter.Seq2[sluice.Object, error] {
		return w.Account.Watch(ctx, kind.APIVersion, kind.Kind, kind.Namespace)
	}
}

// each looks at what changes, until the deadline.
func (w Waiter) each(ctx context.Context, changes changes, look func(sluice.Object) (bool, error)) error {
	bounded, cancel := w.Bounded(ctx)
	defer cancel()
	for o, err := range changes(bounded) {
		if err != nil {
			return ended(ctx, bounded, err)
		}
		if o.Text("metadata", "deletionTimestamp") != "" {
			continue
		}
		if done, err := look(o); done || err != nil {
			return err
		}
	}
	return ended(ctx, bounded, sluice.Errorf(sluice.Unavailable, "the account stopped reporting changes"))
}

// ended says why a watch is over: the caller ended it, its deadline has come, or the account went away.
func ended(ctx, bounded context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if context.Cause(bounded) != nil {
		return errTimeout
	}
	return err
}
