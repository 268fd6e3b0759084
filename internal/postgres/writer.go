package postgres

import (
	"context"
	"sync"

	"github.com/sluice-cd/sluice"
)

// A writer is the one goroutine of a store that changes logs and letters. All writes that wait when a transaction
// begins go into it, so that many deployments share one turn at the append lock and one wait for the disk. Each write
// gets its own result, after the commit.
type writer struct {
	store *Store

	mu      sync.Mutex
	waiting []*write
	stopped bool
	wake    chan struct{} // holds one token while there may be something to do
	done    chan struct{} // closed when the goroutine has ended
}

// A write is one change that waits for its transaction.
type write struct {
	ask    ask                      // what decide needs to know
	decide func(*transaction) error // pure: it adds changes to the transaction, or returns the refusal
	result chan error               // holds one
}

func startWriter(s *Store) *writer {
	w := &writer{store: s, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go w.run()
	return w
}

// do hands a change to the goroutine and waits until it is durable or refused. ctx is looked at only before, because
// what is waiting may be in a transaction already.
func (w *writer) do(ctx context.Context, a ask, decide func(*transaction) error) error {
	if err := ctx.Err(); err != nil {
		return w.store.storeError(ctx, err, "write")
	}
	c := &write{ask: a, decide: decide, result: make(chan error, 1)}
	if err := w.enqueue(c); err != nil {
		return err
	}
	return <-c.result
}

// enqueue adds a write to those that wait. Their number is bounded by the number of callers.
func (w *writer) enqueue(c *write) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped {
		return sluice.Errorf(sluice.Cancelled, "the store %s is closed", w.store.name)
	}
	w.waiting = append(w.waiting, c)
	w.signal()
	return nil
}

// signal leaves a token; w.mu is held.
func (w *writer) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// stop finishes the waiting writes and ends the goroutine.
func (w *writer) stop() {
	w.mu.Lock()
	w.stopped = true
	w.signal()
	w.mu.Unlock()
	<-w.done
}

// run commits the waiting writes until it is told to stop and none waits.
func (w *writer) run() {
	defer close(w.done)
	for range w.wake {
		w.mu.Lock()
		writes, stopped := w.waiting, w.stopped
		w.waiting = nil
		w.mu.Unlock()
		if len(writes) > 0 {
			w.commit(writes)
		}
		if stopped {
			return
		}
	}
}

// commit makes the writes durable together. If that fails, it commits each alone, so that one that cannot be stored
// does not spoil the others. While the database is away, each would only wait for it again.
func (w *writer) commit(writes []*write) {
	refusals, err := w.transact(writes)
	switch {
	case err == nil:
		for i, c := range writes {
			c.result <- refusals[i]
		}
	case len(writes) == 1 || sluice.ErrorCode(err).IsOutage():
		for _, c := range writes {
			c.result <- err
		}
	default:
		for i := range writes {
			w.commit(writes[i : i+1])
		}
	}
}

// transact runs the writes in one transaction of two round trips: one takes the append lock and reads what the writes
// ask for, one writes and commits. It returns the refusals, one a write, or the error that prevented every change.
func (w *writer) transact(writes []*write) ([]error, error) {
	ctx, cancel := context.WithTimeout(context.Background(), writing)
	defer cancel()
	refusals, err := w.exchange(ctx, writes)
	return refusals, w.store.storeError(context.Background(), err, "write")
}

func (w *writer) exchange(ctx context.Context, writes []*write) ([]error, error) {
	c, err := w.store.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Release() // the pool closes a connection that is in the middle of a transaction
	var all ask
	for _, write := range writes {
		all.add(write.ask)
	}
	tx, err := begin(ctx, c.Conn(), &all)
	if err != nil {
		return nil, err
	}
	refusals := make([]error, len(writes))
	for i, write := range writes {
		refusals[i] = write.decide(tx)
	}
	if err := tx.commit(ctx, c.Conn()); err != nil {
		return nil, err
	}
	w.store.news.wake(tx.topics...)
	return refusals, nil
}
