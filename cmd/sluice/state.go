package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/keyfile"
	"github.com/sluice-cd/sluice/internal/secret"
	"github.com/sluice-cd/sluice/internal/sqlite"
)

// stateName is what the state directory is called.
const stateName = ".sluice"

func stateDirectory() string {
	if dir := os.Getenv("SLUICE_STATE"); dir != "" {
		return dir
	}
	return stateName
}

// A stateDir is where everything is kept that outlives a process.
type stateDir string

func (a *app) stateDir() (stateDir, error) {
	dir, err := filepath.Abs(a.state)
	if err != nil {
		return "", sluice.Errorf(sluice.Invalid, "the state directory %s has no absolute path: %w", a.state, err)
	}
	return stateDir(dir), nil
}

func (d stateDir) path(name string) string { return filepath.Join(string(d), name) }
func (d stateDir) store() string           { return d.path("sluice.db") }
func (d stateDir) socket() string          { return d.path("sluice.sock") }
func (d stateDir) account(name string) string {
	return filepath.Join(string(d), "local", name)
}

// make creates the directory for its owner alone. One that is there already is left as it is.
func (d stateDir) make() error {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return sluice.Errorf(sluice.Denied, "the state directory cannot be made: %w", err).WithHint("name another with --state")
	}
	return nil
}

// key returns the directory's key, making it if there is none.
func (d stateDir) key() (*secret.Key, error) {
	if err := d.make(); err != nil {
		return nil, err
	}
	return keyfile.Open(d.path("key"))
}

// read opens the store beside whoever writes it. NotFound: nothing was ever deployed from here.
func (d stateDir) read(ctx context.Context) (*sqlite.Store, error) {
	store, err := sqlite.OpenReadOnly(ctx, d.store())
	if sluice.ErrorCode(err) == sluice.NotFound {
		return nil, sluice.Errorf(sluice.NotFound, "nothing was deployed from here yet: there is no state in %s", d).
			WithHint("go to the directory where sluice run was started, or name its state directory with --state")
	}
	return store, err
}

// lockPatience is how long a command waits while another process starts or stops its engine.
const lockPatience = 5 * time.Second

// lock makes this process the owner of the directory; false: another process is.
func (d stateDir) lock() (*flock.Flock, bool, error) {
	if err := d.make(); err != nil {
		return nil, false, err
	}
	l := flock.New(d.path("lock"), flock.SetPermissions(0o600))
	held, err := l.TryLock()
	if err != nil {
		return nil, false, sluice.Errorf(sluice.Denied, "the state directory cannot be locked: %w", err)
	}
	return l, held, nil
}

// waitLock waits for the lock for a short time.
func (d stateDir) waitLock(ctx context.Context) (*flock.Flock, error) {
	l := flock.New(d.path("lock"), flock.SetPermissions(0o600))
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
	return nil, sluice.Errorf(sluice.Unavailable, "another sluice holds %s and does not answer", d).WithHint("try again; if it stays so, end that process")
}
