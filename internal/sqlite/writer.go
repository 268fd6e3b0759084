package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"strings"
	"sync"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/appending"
)

// A writer is the one goroutine that changes the file. All writes that wait when a transaction begins go into it, so
// that many deployments share one wait for the disk. Each write gets its own result, after the commit.
type writer struct {
	conn  *sql.Conn
	path  string
	peers *peers
	heads map[sluice.DeploymentID]head // of deployments that have not ended, as far as they were used

	mu      sync.Mutex
	waiting []*write
	stopped bool
	wake    chan struct{} // holds one token while there may be something to do
	done    chan struct{} // closed when the goroutine has ended
}

// A write is one change that waits for its transaction.
type write struct {
	// apply makes the change. A refusal is a *sluice.Error returned before anything was changed; any other error
	// spoils the transaction.
	apply  func(*batch) error
	result chan error // holds one
}

// A head is where a deployment's log ends.
type head struct {
	appending.Head
	number int64 // of the deployment, 0 if there is none yet
}

// A batch is a transaction in the making.
type batch struct {
	conn  *sql.Conn
	known map[sluice.DeploymentID]head // before the transaction
	heads map[sluice.DeploymentID]head // as the transaction leaves them
	rows  []any                        // of events, not yet inserted

	last   int64   // position of the last event that was inserted
	topics []topic // that the transaction changes
}

func (b *batch) touch(t topic) { b.topics = append(b.topics, t) }

// startWriter starts the goroutine; it owns the connection until stop.
func startWriter(c *sql.Conn, path string, p *peers) *writer {
	w := &writer{
		conn:  c,
		path:  path,
		peers: p,
		heads: make(map[sluice.DeploymentID]head),
		wake:  make(chan struct{}, 1),
		done:  make(chan struct{}),
	}
	go w.run()
	return w
}

// do hands a change to the goroutine and waits until it is durable or refused. ctx is looked at only before,
// because what is waiting may be in a transaction already.
func (w *writer) do(ctx context.Context, apply func(*batch) error) error {
	if err := ctx.Err(); err != nil {
		return storeError(err, "write", w.path)
	}
	c := &write{apply: apply, result: make(chan error, 1)}
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
		return sluice.Errorf(sluice.Cancelled, "the store %s is closed", w.path)
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

// stop finishes the waiting writes, ends the goroutine and closes the connection.
func (w *writer) stop() error {
	w.mu.Lock()
	w.stopped = true
	w.signal()
	w.mu.Unlock()
	<-w.done
	return w.conn.Close()
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
// does not spoil the others.
func (w *writer) commit(writes []*write) {
	refusals, err := w.transact(writes)
	if err == nil {
		for i, c := range writes {
			c.result <- refusals[i]
		}
		return
	}
	if len(writes) == 1 || isBusy(err) { // alone, each would wait for the other process again
		for _, c := range writes {
			c.result <- storeError(err, "write", w.path)
		}
		return
	}
	for i := range writes {
		w.commit(writes[i : i+1])
	}
}

// transact runs the writes in one transaction. It returns the refusals, one a write, or the error that prevented every
// change.
func (w *writer) transact(writes []*write) (refusals []error, err error) {
	ctx := context.Background()
	b := &batch{conn: w.conn, known: w.heads, heads: make(map[sluice.DeploymentID]head, len(writes))}
	if _, err := w.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		rollBack(w.conn)
		return nil, err
	}
	defer func() {
		if err != nil {
			rollBack(w.conn)
			// What the writer remembered may be what was wrong; it is read again.
			maps.DeleteFunc(w.heads, func(id sluice.DeploymentID, _ head) bool { _, used := b.heads[id]; return used })
		}
	}()
	for _, c := range writes {
		err := c.apply(b)
		if _, refused := errors.AsType[*sluice.Error](err); err != nil && !refused {
			return nil, err
		}
		refusals = append(refusals, err)
	}
	if err := b.flush(); err != nil {
		return nil, err
	}
	if _, err := w.conn.ExecContext(ctx, "COMMIT"); err != nil {
		return nil, err
	}
	w.remember(b)
	if b.last > 0 {
		w.peers.setMark(b.last)
	}
	w.peers.tell(b.topics)
	return refusals, nil
}

// remember keeps the heads of deployments that go on.
func (w *writer) remember(b *batch) {
	maps.Copy(w.heads, b.heads)
	maps.DeleteFunc(b.heads, func(_ sluice.DeploymentID, h head) bool { return !h.Ended })
	for id := range b.heads {
		delete(w.heads, id)
	}
}

// rollBack ends a transaction without its changes. After some errors SQLite has already ended it; nothing else can go
// wrong here.
func rollBack(c *sql.Conn) {
	_, _ = c.ExecContext(context.Background(), "ROLLBACK")
}

// columns is how many values a row of events has in a batch; rowsPerInsert is how many rows one statement takes, enough
// to make its parsing cheap beside the rows.
const (
	columns       = 4
	rowsPerInsert = 32
)

// addEvent adds a row for the log, inserted with the others at the latest when the transaction ends.
func (b *batch) addEvent(deployment int64, seq sluice.Seq, body string) {
	b.rows = append(b.rows, deployment, int64(seq), body, sum(deployment, seq, []byte(body)))
}

// flush inserts the rows. OR ROLLBACK, because a row that does not fit spoils the transaction anyhow, and SQLite then
// keeps no journal of the statement.
func (b *batch) flush() error {
	for len(b.rows) > 0 {
		n := min(len(b.rows), rowsPerInsert*columns)
		query := "INSERT OR ROLLBACK INTO events (deployment, seq, body, sum) VALUES (?, ?, ?, ?)" +
			strings.Repeat(", (?, ?, ?, ?)", n/columns-1)
		result, err := b.conn.ExecContext(context.Background(), query, b.rows[:n]...)
		if err != nil {
			return err
		}
		if b.last, err = result.LastInsertId(); err != nil {
			return err
		}
		b.rows = b.rows[n:]
	}
	return nil
}
