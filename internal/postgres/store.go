package postgres

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sluice-cd/sluice"
)

// A Store keeps everything in one database. It is safe for concurrent use, and any number of processes may use the
// database at the same time. While the database is away every call is Unavailable, the leases are lost, and what only
// waits for news waits on; the same Store works again when the database is back.
type Store struct {
	name   string // of the database, for errors
	pool   *pgxpool.Pool
	writer *writer
	leases *leases
	news   *listener
	doubts doubts
	recent recent

	closing sync.Once
	closed  atomic.Bool
}

var _ sluice.Store = (*Store)(nil)

// Open opens the store in the database with the address, a URL or the keywords of libpq, and brings its schema up to
// date. An empty database becomes a store. An address that cannot be read and a database with the tables of another
// program are Invalid. The store of a newer Sluice, and PostgreSQL before version 14, are Unsupported. If the database
// does not answer, it is Unavailable.
func Open(ctx context.Context, address string) (*Store, error) {
	config, err := parse(address)
	if err != nil {
		return nil, err
	}
	s := &Store{name: nameOf(config.ConnConfig), recent: newRecent()}
	if s.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, s.storeError(ctx, err, "open")
	}
	if err := s.migrate(ctx); err != nil {
		s.pool.Close()
		return nil, s.storeError(ctx, err, "open")
	}
	s.leases = newLeases(s)
	s.news = newListener(s)
	s.writer = startWriter(s)
	return s, nil
}

// Close lets what was appended become durable, ends the leases and all waiting, then the connections. A second Close
// does nothing.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.writer.stop()
		s.closed.Store(true)
		s.leases.close()
		s.news.close()
		s.pool.Close()
		s.news.wakeAll() // those who wait find out that the store is closed
	})
	return nil
}

// dedicated opens a connection that is not one of the pool.
func (s *Store) dedicated(ctx context.Context) (*pgx.Conn, error) {
	config := s.pool.Config().ConnConfig
	c, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	if err := prepare(ctx, c); err != nil {
		hangUp(c)
		return nil, err
	}
	return c, nil
}

// hangUp closes a connection, which may not work any more. The server ends it also if it is not told.
func hangUp(c *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	_ = c.Close(ctx)
}
