package step

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/sluice-cd/sluice"
)

// defaultTimeout bounds what declares no bound of its own.
const defaultTimeout = 30 * time.Minute

// glance bounds the one look that is taken after the deadline, so that what came about while Sluice itself was away is
// seen, however long that was.
const glance = 5 * time.Second

// errTimeout ends a watch whose deadline has come.
var errTimeout = errors.New("the time is over")

func isTimeout(err error) bool { return errors.Is(err, errTimeout) }

// A watcher waits for objects of one account until an instant. Waiting again after a crash ends at the same one.
type watcher struct {
	account  sluice.Account
	deadline time.Time
	now      func() time.Time
	report   func(sluice.Progress)
}

// watch calls look with the object now and whenever it changes, until look says that it is done or returns an
// error. It returns errTimeout at the deadline. An object that is being deleted is not looked at.
func (w watcher) watch(ctx context.Context, ref sluice.Ref, look func(sluice.Object) (done bool, missing string, err error)) error {
	changes := func(ctx context.Context) iter.Seq2[sluice.Object, error] { return w.account.Follow(ctx, ref) }
	return w.each(ctx, changes, func(o sluice.Object) (bool, error) {
		done, missing, err := look(o)
		if !done && err == nil {
			w.report(sluice.Progress{State: sluice.Running, Message: ref.String() + ": " + missing})
		}
		return done, err
	})
}

// watchKind is watch for every object of the kind and namespace.
func (w watcher) watchKind(ctx context.Context, kind sluice.Ref, look func(sluice.Object) (done bool, err error)) error {
	return w.each(ctx, func(ctx context.Context) iter.Seq2[sluice.Object, error] {
		return w.account.Watch(ctx, kind.APIVersion, kind.Kind, kind.Namespace)
	}, look)
}

// left is how long may be waited, a glance at least.
func (w watcher) left() time.Duration { return max(w.deadline.Sub(w.now()), glance) }

// bounded ends with errTimeout as its cause.
func (w watcher) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, w.left(), errTimeout)
}

// each looks at what changes, until the deadline.
func (w watcher) each(ctx context.Context, changes func(context.Context) iter.Seq2[sluice.Object, error], look func(sluice.Object) (bool, error)) error {
	bounded, cancel := w.bounded(ctx)
	defer cancel()
	for o, err := range changes(bounded) {
		if err != nil {
			return w.ended(ctx, bounded, err)
		}
		if o.Text("metadata", "deletionTimestamp") != "" {
			continue
		}
		if done, err := look(o); done || err != nil {
			return err
		}
	}
	return w.ended(ctx, bounded, nil)
}

// ended tells why a watch is over: the caller's end, the deadline, or a cluster that went away.
func (w watcher) ended(ctx, bounded context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if context.Cause(bounded) != nil {
		return errTimeout
	}
	if err != nil {
		return err
	}
	return sluice.Errorf(sluice.Unavailable, "the account stopped reporting changes")
}

func orDefault[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}
