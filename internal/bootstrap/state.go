package bootstrap

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/secret"
	"github.com/sluice-cd/sluice/internal/sqlite"
)

// StateName is the default name of the state directory.
const StateName = ".sluice"

// StateDirectory returns the path of the state directory where no flag names one.
func StateDirectory() string {
	if dir := os.Getenv("SLUICE_STATE"); dir != "" {
		return dir
	}
	return StateName
}

// A StateDir is the directory of everything that outlives a process.
type StateDir string

// OpenState returns the directory at the path. It need not exist.
func OpenState(path string) (StateDir, error) {
	dir, err := filepath.Abs(path)
	if err != nil {
		return "", sluice.Errorf(sluice.Invalid, "the state directory %s has no absolute path: %w", path, err)
	}
	return StateDir(dir), nil
}

// Path returns the path of a file in the directory.
func (d StateDir) Path(name string) string { return filepath.Join(string(d), name) }

func (d StateDir) store() string  { return d.Path("sluice.db") }
func (d StateDir) socket() string { return d.Path("sluice.sock") }
func (d StateDir) account(name string) string {
	return filepath.Join(string(d), "local", name)
}

// make creates the directory for its owner alone. It leaves an existing directory as it is.
func (d StateDir) make() error {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return sluice.Errorf(sluice.Denied, "the state directory cannot be created: %w", err).
			WithHint("name another directory with --state")
	}
	return nil
}

// Key returns the key of the directory. It creates the key if there is none.
func (d StateDir) Key() (*secret.Key, error) {
	if err := d.make(); err != nil {
		return nil, err
	}
	return secret.OpenKey(d.Path("key"))
}

// Read opens the store for reading, also while an engine writes it. NotFound: there is no store.
func (d StateDir) Read(ctx context.Context) (*sqlite.Store, error) {
	store, err := sqlite.OpenReadOnly(ctx, d.store())
	if sluice.ErrorCode(err) == sluice.NotFound {
		return nil, sluice.Errorf(sluice.NotFound, "nothing was deployed from here yet: %s holds no state", d).
			WithHint("change to the directory where you started sluice run, or name its state directory with --state")
	}
	return store, err
}

// lockPatience is how long a command waits while another process starts or stops its engine.
const lockPatience = 5 * time.Second

// lock makes this process the owner of the directory. It returns false if another process is the owner.
func (d StateDir) lock() (*flock.Flock, bool, error) {
	if err := d.make(); err != nil {
		return nil, false, err
	}
	l := flock.New(d.Path("lock"), flock.SetPermissions(0o600))
	held, err := l.TryLock()
	if err != nil {
		return nil, false, sluice.Errorf(sluice.Denied, "the state directory cannot be locked: %w", err)
	}
	return l, held, nil
}

// waitLock waits for the lock for a short time.
func (d StateDir) waitLock(ctx context.Context) (*flock.Flock, error) {
	l := flock.New(d.Path("lock"), flock.SetPermissions(0o600))
	waiting, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	held, err := l.TryLockContext(waiting, 50*time.Millisecond) // locks of files bring no event
	if held {
		return l, nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return nil, sluice.Errorf(sluice.Denied, "the state directory cannot be locked: %w", err)
	}
	return nil, sluice.Errorf(sluice.Unavailable, "another sluice holds %s and does not answer", d).
		WithHint("try again; if it still does not answer, end that process")
}
