//go:build !linux

package sqlite

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// Locks are files with a lock each, because only Linux locks bytes for an open file. They differ in three ways: an
// empty file stays behind for each deployment; taken has to take a lock to look, so take tries for a moment before it
// says that somebody holds it; and whether others share a lock that this process has too is not known, so taken says
// yes.
type locks struct {
	path string

	mu   sync.Mutex
	held map[int64]*flock.Flock
}

func newLocks(f *os.File) *locks { return &locks{path: f.Name(), held: map[int64]*flock.Flock{}} }

// glimpse is longer than anybody holds a lock only to look.
const glimpse = 50 * time.Millisecond

func (l *locks) file(offset int64) string { return l.path + "-" + strconv.FormatInt(offset, 16) }

func (l *locks) take(offset int64, shared bool) (held bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := flock.New(l.file(offset), flock.SetPermissions(0o600))
	try := f.TryLock
	if shared {
		try = f.TryRLock
	}
	tick := time.NewTicker(glimpse / 50) // a lock that becomes free brings no event
	defer tick.Stop()
	for end := time.Now().Add(glimpse); time.Now().Before(end); <-tick.C {
		if held, err = try(); held || err != nil {
			break
		}
	}
	if !held {
		return false, errors.Join(err, f.Close())
	}
	l.held[offset] = f
	return true, nil
}

func (l *locks) taken(offset int64, shared bool) (bool, error) {
	l.mu.Lock()
	own := l.held[offset] != nil
	l.mu.Unlock()
	if own {
		return !shared, nil
	}
	if _, err := os.Stat(l.file(offset)); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	f := flock.New(l.file(offset), flock.SetPermissions(0o600))
	try := f.TryLock
	if shared {
		try = f.TryRLock
	}
	free, err := try()
	return !free && err == nil, errors.Join(err, f.Close())
}

func (l *locks) free(offset int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.held[offset]
	if f == nil {
		return nil
	}
	delete(l.held, offset)
	return f.Close()
}

func (l *locks) freeAll() (err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.held {
		err = errors.Join(err, f.Close())
	}
	clear(l.held)
	return err
}
