package postgres

import (
	"context"
	"errors"
	"hash/fnv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/appending"
)

// How long a lease outlives its process. The server ends a session of leases from which it has heard nothing for
// silence: that of a machine that died or was cut off, and that of a process that is stopped. A process asks the server
// every beat, and gives its leases up if it hears nothing within patience. So it knows before anybody else can lease,
// unless it does not run at all; then the token keeps it out. The server measures silence by itself: keepalives of the
// network would not notice a process that is stopped, and do not pass through a proxy.
const (
	beat     = time.Second
	patience = 5 * time.Second
	silence  = 8 * time.Second
)

// leases are advisory locks of the session of one connection, which does nothing else. The locks end with the session.
//
// Only the holder of a deployment's lock counts its token up, on the same connection and under the append lock. An
// append by a Store that leased the deployment names the token that it got. So once a lease was given to another
// process, an append of the former holder is a Conflict, whatever the state of its connections: one under way committed
// before the token changed, and a later one meets the new token.
type leases struct {
	store *Store

	turn   sync.Mutex // held while the connection is used
	conn   *pgx.Conn  // nil until it is needed
	closed bool

	mu   sync.Mutex
	held map[sluice.DeploymentID]*lease // those lost but not released included
}

// A lease is the lock of one deployment.
type lease struct {
	leases *leases
	id     sluice.DeploymentID
	token  int64
	lost   chan struct{}
}

func newLeases(s *Store) *leases {
	return &leases{store: s, held: map[sluice.DeploymentID]*lease{}}
}

// Lease implements [sluice.Leases].
func (s *Store) Lease(ctx context.Context, id sluice.DeploymentID) (sluice.Lease, error) {
	if err := ctx.Err(); err != nil {
		return nil, s.storeError(ctx, err, "lease a deployment of")
	}
	// A ctx that ends during a call would break the connection, and with it every other lease.
	l, err := s.leases.take(context.WithoutCancel(ctx), id)
	if err != nil {
		return nil, s.storeError(context.Background(), err, "lease a deployment of")
	}
	return l, nil
}

// Leased implements [sluice.Leases]. It looks at the locks, since to try one would take it.
func (s *Store) Leased(ctx context.Context, id sluice.DeploymentID) (bool, error) {
	found, err := list(ctx, s, func(pgx.Rows, *int) error { return nil }, `SELECT FROM pg_locks
		WHERE locktype = 'advisory' AND granted AND objsubid = 1
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
			AND (classid::bigint << 32 | objid::bigint) = $1`, lockOf(id))
	return len(found) > 0, s.storeError(ctx, err, "read")
}

// lockOf returns the lock that stands for the deployment, one of 2^64. Two deployments that share a lock cannot run at
// the same time; nobody will ever see that.
func lockOf(id sluice.DeploymentID) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id)) // never fails
	return int64(h.Sum64())
}

// take locks the deployment and gets a token. Whatever breaks the connection loses every lease. That may have happened
// since it was used last, so a broken connection is replaced once.
func (l *leases) take(ctx context.Context, id sluice.DeploymentID) (*lease, error) {
	l.turn.Lock()
	defer l.turn.Unlock()
	if l.closed {
		return nil, errClosed
	}
	if h := l.holder(id); h != nil && !h.isLost() {
		return nil, appending.Leased(id)
	}
	token, err := l.try(ctx, id)
	if err != nil && l.conn == nil {
		token, err = l.try(ctx, id)
	}
	if err != nil {
		return nil, err
	}
	taken := &lease{leases: l, id: id, token: token, lost: make(chan struct{})}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held[id] = taken
	return taken, nil
}

// try takes the lock and the token. If that breaks the connection, there is none afterwards.
func (l *leases) try(ctx context.Context, id sluice.DeploymentID) (int64, error) {
	if err := l.connect(ctx); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	token, err := l.lock(ctx, id)
	if l.conn.IsClosed() {
		l.lose()
	}
	return token, err
}

// lock takes the lock, then the token.
func (l *leases) lock(ctx context.Context, id sluice.DeploymentID) (token int64, err error) {
	var free bool
	if err := l.conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", lockOf(id)).Scan(&free); err != nil {
		return 0, err
	}
	if !free {
		return 0, appending.Leased(id)
	}
	b := &pgx.Batch{} // one transaction
	b.Queue("SELECT pg_advisory_xact_lock($1, $2)", ours, appends)
	b.Queue(`INSERT INTO leases AS l (deployment, token) VALUES ($1, 1)
		ON CONFLICT (deployment) DO UPDATE SET token = l.token + 1 RETURNING token`, id).
		QueryRow(func(row pgx.Row) error { return row.Scan(&token) })
	if err := l.conn.SendBatch(ctx, b).Close(); err != nil {
		return 0, errors.Join(err, l.unlock(ctx, id))
	}
	return token, nil
}

func (l *leases) unlock(ctx context.Context, id sluice.DeploymentID) error {
	_, err := l.conn.Exec(ctx, "SELECT pg_advisory_unlock($1)", lockOf(id))
	return err
}

// connect opens the connection if there is none; l.turn is held.
func (l *leases) connect(ctx context.Context) error {
	if l.conn != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, writing)
	defer cancel()
	c, err := l.store.dedicated(ctx)
	if err != nil {
		return err
	}
	_, err = c.Exec(ctx, `SELECT set_config('idle_session_timeout', $1, false), set_config('lock_timeout', $2, false),
		set_config('application_name', 'sluice leases', false)`, milliseconds(silence), milliseconds(patience*3/5))
	if err != nil {
		hangUp(c)
		return err
	}
	l.conn = c
	go l.keep(c)
	return nil
}

// keep asks the server now and then whether the session still lives, until the connection is another one.
func (l *leases) keep(c *pgx.Conn) {
	t := time.NewTicker(beat)
	defer t.Stop()
	for range t.C {
		if !l.lives(c) {
			return
		}
	}
}

func (l *leases) lives(c *pgx.Conn) bool {
	l.turn.Lock()
	defer l.turn.Unlock()
	if l.conn != c {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if c.Ping(ctx) == nil {
		return true
	}
	l.lose()
	return false
}

// lose tells the holders that they have lost their leases, and ends the session; l.turn is held. What broke this
// connection may have broken those of the pool.
func (l *leases) lose() {
	l.tell()
	hangUp(l.conn)
	l.conn = nil
	l.store.pool.Reset()
}

func (l *leases) tell() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range l.held {
		if !h.isLost() {
			close(h.lost)
		}
	}
}

func (l *leases) close() {
	l.turn.Lock()
	defer l.turn.Unlock()
	l.closed = true
	l.tell()
	if l.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	// Others can lease at once. That the connection was closed the server notices a little later.
	_, _ = l.conn.Exec(ctx, "SELECT pg_advisory_unlock_all()")
	hangUp(l.conn)
	l.conn = nil
}

func (l *leases) holder(id sluice.DeploymentID) *lease {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held[id]
}

// token returns the token with which this store may append to the deployment, 0 if it does not hold the lease, or the
// refusal if it has lost it.
func (l *leases) token(id sluice.DeploymentID) (int64, error) {
	h := l.holder(id)
	switch {
	case h == nil:
		return 0, nil
	case h.isLost():
		return 0, appending.Lost(id)
	}
	return h.token, nil
}

// Lost implements [sluice.Lease].
func (h *lease) Lost() <-chan struct{} { return h.lost }

func (h *lease) isLost() bool {
	select {
	case <-h.lost:
		return true
	default:
		return false
	}
}

// Release implements [sluice.Lease]. If the connection breaks meanwhile, the lock ends with it.
func (h *lease) Release() error {
	l := h.leases
	l.turn.Lock()
	defer l.turn.Unlock()
	if l.holder(h.id) != h {
		return nil
	}
	l.mu.Lock()
	delete(l.held, h.id)
	l.mu.Unlock()
	if h.isLost() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if l.unlock(ctx, h.id) != nil {
		l.lose()
	}
	return nil
}
