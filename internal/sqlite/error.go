package sqlite

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/sluice-cd/sluice"
)

// storeError turns an error of the driver or the operating system into an Error that says what to do. An Error stays as
// it is.
func storeError(err error, verb, path string) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*sluice.Error](err); ok {
		return e
	}
	code, hint := classify(err)
	e := sluice.Errorf(code, "%s store %s: %w", verb, path, err)
	if hint != "" {
		e = e.WithHint("%s", hint)
	}
	return e
}

// isFull reports whether the index of the write-ahead log does not fit on the disk.
func isFull(err error) bool {
	e, ok := errors.AsType[*driver.Error](err)
	return ok && e.Code() == sqlite3.SQLITE_IOERR_SHMSIZE
}

// isBusy reports whether another process holds the lock that the call needs.
func isBusy(err error) bool {
	e, ok := errors.AsType[*driver.Error](err)
	return ok && e.Code()&0xff == sqlite3.SQLITE_BUSY
}

// classify says what kind of failure err is and what the user can do about it.
func classify(err error) (sluice.Code, string) {
	if e, ok := errors.AsType[*driver.Error](err); ok {
		return classifyResult(e.Code())
	}
	switch {
	case errors.Is(err, context.Canceled):
		return sluice.Cancelled, ""
	case errors.Is(err, context.DeadlineExceeded):
		return sluice.Exhausted, "the time for this was too short; try again"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return sluice.Exhausted, fullHint
	case errors.Is(err, syscall.ENOLCK), errors.Is(err, syscall.ENOTSUP), errors.Is(err, syscall.EINVAL):
		return sluice.Unsupported, "this file system cannot lock files as the store needs; keep the store on a local disk"
	case errors.Is(err, fs.ErrNotExist):
		return sluice.NotFound, "check the path; if it is right, nothing was deployed from this directory yet"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return sluice.Denied, deniedHint
	}
	return sluice.Internal, ""
}

const (
	fullHint    = "free some space on the disk that holds the store, then run the same command again; nothing is lost"
	deniedHint  = "make the store's file and its directory readable and writable for this user"
	corruptHint = "move the file away and restore it from a backup, or begin with a new one; " +
		"checkpoints are elsewhere and not harmed"
)

// results maps SQLite's primary result codes.
var results = map[int]struct {
	code sluice.Code
	hint string
}{
	sqlite3.SQLITE_FULL:     {sluice.Exhausted, fullHint},
	sqlite3.SQLITE_NOMEM:    {sluice.Exhausted, "give the process more memory"},
	sqlite3.SQLITE_BUSY:     {sluice.Unavailable, "another process is using the store; it is tried again"},
	sqlite3.SQLITE_LOCKED:   {sluice.Unavailable, "another process is using the store; it is tried again"},
	sqlite3.SQLITE_PROTOCOL: {sluice.Unavailable, "another process is using the store; it is tried again"},
	sqlite3.SQLITE_IOERR:    {sluice.Unavailable, "check the disk that holds the store"},
	sqlite3.SQLITE_CORRUPT:  {sluice.Invalid, corruptHint},
	sqlite3.SQLITE_NOTADB:   {sluice.Invalid, "the file is not a store; name another path, or move it away"},
	sqlite3.SQLITE_READONLY: {sluice.Denied, deniedHint},
	sqlite3.SQLITE_CANTOPEN: {sluice.Denied, deniedHint},
	sqlite3.SQLITE_PERM:     {sluice.Denied, deniedHint},
	sqlite3.SQLITE_TOOBIG: {sluice.Invalid,
		"the deployment's plan or a step's result is larger than SQLite can store; make its manifests smaller"},
	sqlite3.SQLITE_CONSTRAINT: {sluice.Conflict, "another process wrote to the same deployment; read it again"},
	sqlite3.SQLITE_INTERRUPT:  {sluice.Cancelled, ""},
}

// classifyResult looks a result code up; the low byte is the primary code.
func classifyResult(code int) (sluice.Code, string) {
	if code == sqlite3.SQLITE_IOERR_SHMSIZE {
		return sluice.Exhausted, fullHint
	}
	r, ok := results[code&0xff]
	if !ok {
		return sluice.Internal, ""
	}
	return r.code, r.hint
}
