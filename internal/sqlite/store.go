package sqlite

import (
	"cmp"
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
	path    string
	hasSums bool // events have checksums; those of an earlier version, opened for reading, have none
	// There are tokens and an audit; a store of an earlier version, opened for reading, has none.
	hasIdentity bool
	hasReaders  bool // there is a table of them; a store of an earlier version, opened for reading, has none

	peers  *peers
	read   *sql.DB
	write  *sql.DB // nil if the store was opened for reading only
	writer *writer // nil if the store was opened for reading only

	closing sync.Once
}

var _ sluice.Store = (*Store)(nil)

// Open opens the store in the file. It creates the file, but not its directory, and brings the schema up to date. A
// file that is not a store or is damaged is Invalid; the store of a newer Sluice is Unsupported.
func Open(ctx context.Context, path string) (*Store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, storeError(err, "open", path)
	}
	if err := create(ctx, path); err != nil {
		return nil, storeError(err, "open", path)
	}
	write, c, err := openWriter(ctx, path)
	if err != nil {
		return nil, storeError(err, "open", path)
	}
	read, err := openReaders(path)
	if err != nil {
		return nil, storeError(errors.Join(err, c.Close(), write.Close()), "open", path)
	}
	p, err := openPeers(path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, storeError(errors.Join(err, read.Close(), c.Close(), write.Close()), "open", path)
	}
	s := &Store{path: path, peers: p, read: read, write: write}
	s.hasSums, s.hasIdentity, s.hasReaders = true, true, true
	if err := s.verifyOpened(ctx); err != nil {
		return nil, storeError(errors.Join(err, p.close(), read.Close(), c.Close(), write.Close()), "open", path)
	}
	s.writer = startWriter(c, path, p)
	return s, nil
}

// openWriter opens the connection that writes.
func openWriter(ctx context.Context, path string) (*sql.DB, *sql.Conn, error) {
	db, err := sql.Open("sqlite", source(path, nil,
		"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)",
		"cache_size(-16000)", "wal_autocheckpoint(4000)", "journal_size_limit(67108864)"))
	if err != nil {
		return nil, nil, err
	}
	db.SetMaxOpenConns(1)
	c, err := connect(ctx, db)
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	if err := migrate(ctx, c, path); err != nil {
		return nil, nil, errors.Join(err, c.Close(), db.Close())
	}
	return db, c, nil
}

// create makes an empty store, readable by its owner alone, if there is no file. The store is complete before it gets
// its name, so an empty file is never one. It never opens a file that is there: to close it again would free the locks
// that SQLite has on it for other Stores of this process, and the next process would delete the write-ahead log under
// them.
func create(ctx context.Context, path string) error {
	if err := mustHold(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	if err := temp.Close(); err != nil {
		return err
	}
	db, c, err := openWriter(ctx, temp.Name())
	if err != nil {
		return err
	}
	if err := errors.Join(c.Close(), db.Close()); err != nil {
		return err
	}
	if err := os.Link(temp.Name(), path); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// mustHold refuses an empty file.
func mustHold(path string) error {
	info, err := os.Stat(path)
	if err == nil && info.Size() == 0 {
		return sluice.Errorf(sluice.Invalid, "the file %s is empty, so it is not a store", path).
			WithHint("put the store back from a copy; to begin with a new one, delete the file")
	}
	return err
}

// OpenReadOnly opens the store in the file for reading, while other processes may write to it. Writing is Denied. An
// absent file that nobody wrote to is NotFound; otherwise it refuses what Open refuses.
func OpenReadOnly(ctx context.Context, path string) (*Store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, storeError(err, "open", path)
	}
	if err := mustHold(path); err != nil {
		return nil, storeError(cmp.Or(lost(path, err), err), "open", path)
	}
	s := &Store{path: path}
	err = s.openReading(ctx, openReaders)
	if isFull(err) {
		err = s.openReading(ctx, openAlone)
	}
	if err != nil {
		return nil, storeError(err, "open", path)
	}
	if s.peers, err = openPeers(path, os.O_RDONLY); err != nil {
		return nil, storeError(errors.Join(err, s.read.Close()), "open", path)
	}
	if err := s.verifyOpened(ctx); err != nil {
		return nil, storeError(errors.Join(err, s.Close()), "open", path)
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
		err = sluice.Errorf(sluice.Invalid, "the database %s is empty, so it is not a store", s.path).
			WithHint("put the store back from a copy; to begin with a new one, delete the file")
	}
	s.hasSums, s.hasIdentity = version >= sumsVersion, version >= identityVersion
	s.hasReaders = version >= readersVersion
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

// openReading opens the connections that read, and refuses what is not a store.
func (s *Store) openReading(ctx context.Context, open func(path string) (*sql.DB, error)) (err error) {
	if s.read, err = open(s.path); err != nil {
		return err
	}
	if err := s.checkSchema(ctx); err != nil {
		return errors.Join(err, s.read.Close())
	}
	return nil
}

// openAlone opens one connection that reads, on a full disk: there is no space for the file through which the processes
// that use the write-ahead log share its index. This connection keeps the index to itself, so nobody else can use the
// store before it is closed.
func openAlone(path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", source(path, nil, "busy_timeout(5000)", "locking_mode(EXCLUSIVE)", "query_only(1)"))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// source returns the data source name of the file.
func source(path string, query url.Values, pragmas ...string) string {
	q := url.Values{"_pragma": pragmas, "_txlock": {"immediate"}}
	for key, values := range query {
		q[key] = values
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}
