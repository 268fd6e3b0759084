package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver named "sqlite"

	"github.com/sluice-cd/sluice"
)

// readers is how many reads run at once; more would only wait for the same two or four processors.
const readers = 4

// A Store keeps the log and the catalogue in one file. It is safe for concurrent use.
//
// Any number of processes may read a file while one process has it open for writing; that there is only one
// writer is for the caller to see to.
type Store struct {
	path   string
	read   *sql.DB
	write  *sql.DB // nil if the store was opened for reading only
	writer *writer // nil if the store was opened for reading only
}

var _ sluice.Store = (*Store)(nil)

// Open opens the store in the file, which is made if it does not exist; its directory has to. The schema is
// brought up to date. A file that is no store of ours is Invalid, one of a newer Sluice Unsupported.
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
	c, err := write.Conn(ctx)
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
	return &Store{path: path, read: read, write: write, writer: startWriter(c, path)}, nil
}

// OpenReadOnly opens the store in the file for reading beside the process that writes it, if there is one. What would write
// is Denied. An absent file is NotFound.
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
	return s, nil
}

// Close lets what was appended become durable, then closes the file. A second Close does nothing.
func (s *Store) Close() error {
	if s.writer == nil {
		return s.read.Close()
	}
	// The writer goes last, so that as the last connection it folds the write-ahead log into the file.
	err := errors.Join(s.writer.stop(), s.read.Close(), s.write.Close())
	if err != nil {
		return storeError(err, "close", s.path)
	}
	return nil
}

// checkSchema refuses a file that this version cannot read as it is.
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
	if err != nil {
		return err
	}
	if version < known[len(known)-1].version {
		return sluice.Errorf(sluice.Unsupported, "%s was written by an older Sluice and not yet brought up to date", s.path).
			WithHint("Start a deployment or the server once; that updates the file.")
	}
	return nil
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

// touch makes the file if it is absent, readable by its owner alone, and returns its absolute path.
func touch(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return path, err
	}
	f, err := os.OpenFile(abs, os.O_RDWR|os.O_CREATE, 0o600)
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
