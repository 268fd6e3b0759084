package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver named "sqlite"

	"github.com/sluice-cd/sluice"
)

// readers is how many reads run at once; more would only wait for the same few processors.
const readers = 4

// A Store keeps everything in one file. It is safe for concurrent use, and any number of processes of one machine may
// use the file at the same time. They write one after the other.
type Store struct {
	path   string
	peers  *peers
	read   *sql.DB
	write  *sql.DB // nil if the store was opened for reading only
	writer *writer // nil if the store was opened for reading only

	closing sync.Once
}

var _ sluice.Store = (*Store)(nil)

// Open opens the store in the file. It creates the file, but not its directory, and brings the schema up to date. A
// file that is not a store is Invalid; the store of a newer Sluice is Unsupported.
func Open(ctx context.Context, path string) (*Store, error) {
	path, err := touch(path)
	if err != nil {
		return nil, storeError(err, "open", path)
	}
	write, err := sql.Open("sqlite", source(path, nil,
		"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)",
		"cache_size(-16000)", "wal_autocheckpoint(4000)", "journal_size_limit(67108864)"))
	if err != nil {
		return nil, storeError(err, "open", path)
	}
	write.SetMaxOpenConns(1)
	c, err := connect(ctx, write)
	if err != nil {
		return nil, storeError(errors.Join(err, write.Close()), "open", path)
	}
	if err := migrate(ctx, c, path); err != nil {
		return nil, storeError(errors.Join(err, c.Close(), write.Close()), "open", path)
	}
	read, err := openReaders(path)
	if err != nil {
		return nil, storeError(errors.Join(err, c.Close(), write.Close()), "open", path)
	}
	p, err := openPeers(path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, storeError(errors.Join(err, read.Close(), c.Close(), write.Close()), "open", path)
	}
	return &Store{path: path, peers: p, read: read, write: write, writer: startWriter(c, path, p)}, nil
}

// OpenReadOnly opens the store in the file for reading, while other processes may write to it. Writing is Denied. An
// absent file is NotFound.
func OpenReadOnly(ctx context.Context, path string) (*Store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, storeError(err, "open", path)
	}
	if _, err := os.Stat(path); err != nil {
		return nil, storeError(err, "open", path)
	}
	read, err := openReaders(path)
	if err != nil {
		return nil, storeError(err, "open", path)
	}
	s := &Store{path: path, read: read}
	if err := s.checkSchema(ctx); err != nil {
		return nil, storeError(errors.Join(err, read.Close()), "open", path)
	}
	if s.peers, err = openPeers(path, os.O_RDONLY); err != nil {
		return nil, storeError(errors.Join(err, read.Close()), "open", path)
	}
	return s, nil
}

// Close lets what was appended become durable, ends the leases, then closes the file. A second Close does nothing.
func (s *Store) Close() (err error) {
	s.closing.Do(func() {
		if s.writer == nil {
			err = errors.Join(s.peers.close(), s.read.Close())
			return
		}
		// The writer goes last, so that as the last connection it folds the write-ahead log into the file.
		err = errors.Join(s.writer.stop(), s.peers.close(), s.read.Close(), s.write.Close())
	})
	return storeError(err, "close", s.path)
}

// checkSchema refuses a file that is not a store or that a newer Sluice wrote. The log and the catalogue of an older
// one read the same.
func (s *Store) checkSchema(ctx context.Context) error {
	c, err := s.read.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	known, err := readMigrations()
	if err != nil {
		return err
	}
	version, err := schemaVersion(ctx, c, s.path, known)
	if err == nil && version == 0 {
		err = sluice.Errorf(sluice.Unsupported, "%s is empty", s.path).
			WithHint("start a deployment once; that creates the schema")
	}
	return err
}

// connect waits for other processes also where SQLite does not: while they turn a new file into one with a write-ahead
// log.
func connect(ctx context.Context, db *sql.DB) (*sql.Conn, error) {
	for end := time.Now().Add(5 * time.Second); ; {
		c, err := db.Conn(ctx)
		if !isBusy(err) || time.Now().After(end) {
			return c, err
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// openReaders opens the connections that only read.
func openReaders(path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", source(path, url.Values{"mode": {"ro"}}, "busy_timeout(5000)", "query_only(1)"))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(readers)
	db.SetMaxIdleConns(readers)
	return db, nil
}

// touch makes the file if it is absent, readable by its owner alone, and returns its absolute path. It never opens a
// file that is there: to close it again would free the locks that SQLite has on it for other Stores of this process,
// and the next process would delete the write-ahead log under them.
func touch(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return path, err
	}
	f, err := os.OpenFile(abs, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return abs, nil
	}
	if err != nil {
		return abs, err
	}
	return abs, f.Close()
}

// source returns the data source name of the file.
func source(path string, query url.Values, pragmas ...string) string {
	q := url.Values{"_pragma": pragmas, "_txlock": {"immediate"}}
	for key, values := range query {
		q[key] = values
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}
