package bootstrap

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/postgres"
	"github.com/sluice-cd/sluice/internal/secret"
	"github.com/sluice-cd/sluice/internal/sqlite"
)

// StateName is the default name of the state directory.
const StateName = ".sluice"

// A StateDir is the directory of everything that survives a process. What is opened through it is redacted.
type StateDir struct {
	path     string
	redactor *secret.Redactor
}

// OpenState returns the directory at the path. It need not exist. The redactor learns every secret that is read
// through the directory, and nothing that it knows is written there.
func OpenState(path string, r *secret.Redactor) (StateDir, error) {
	dir, err := filepath.Abs(path)
	if err != nil {
		return StateDir{}, sluice.Errorf(sluice.Invalid, "the state directory %s has no absolute path: %w", path, err)
	}
	return StateDir{dir, r}, nil
}

// String returns the path of the directory.
func (d StateDir) String() string { return d.path }

// Path returns the path of a file in the directory.
func (d StateDir) Path(name string) string { return filepath.Join(d.path, name) }

func (d StateDir) socket() string { return d.Path("sluice.sock") }
func (d StateDir) account(name string) string {
	return filepath.Join(d.path, "local", name)
}

// make creates the directory for its owner alone. It closes an existing directory to others: they could replace the key
// and the history.
func (d StateDir) make() error {
	if err := os.MkdirAll(d.path, 0o700); err != nil {
		return sluice.Errorf(sluice.Denied, "the state directory cannot be created: %w", err).
			WithHint("name another directory with --state")
	}
	info, err := os.Stat(d.path)
	if err != nil {
		return sluice.Errorf(sluice.Denied, "the state directory cannot be read: %w", err)
	}
	if info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	if err := os.Chmod(d.path, 0o700); err != nil {
		return sluice.Errorf(sluice.Denied,
			"other users may use the state directory %s, and this user cannot change that: %w", d, err).
			WithHint("name a directory of your own with --state")
	}
	return nil
}

// Read opens the store for reading, also while an engine writes it. NotFound: there is no store.
func (d StateDir) Read(ctx context.Context) (sluice.Store, error) {
	d.learn()
	store, err := sqlite.OpenReadOnly(ctx, d.Path("sluice.db"))
	if sluice.ErrorCode(err) == sluice.NotFound {
		return nil, sluice.Errorf(sluice.NotFound, "nothing was deployed from here yet: %s holds no state", d).
			WithHint("change to the directory where you started sluice run, or name its state directory with --state")
	}
	if err != nil {
		return nil, d.newer(err)
	}
	return d.redactor.Store(store), nil
}

// Change opens the store for writing, also while an engine writes it, and closes it after use. NotFound: there is no
// store.
func (d StateDir) Change(ctx context.Context, use func(sluice.Store) error) (err error) {
	there, err := d.Read(ctx)
	if err != nil {
		return err
	}
	if err := there.Close(); err != nil {
		return err
	}
	store, err := d.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return use(store)
}

// open opens the store for writing. It creates the store if there is none.
func (d StateDir) open(ctx context.Context) (sluice.Store, error) {
	d.learn()
	store, err := sqlite.Open(ctx, d.Path("sluice.db"))
	if err != nil {
		return nil, d.newer(err)
	}
	return d.redactor.Store(store), nil
}

// openDatabase opens the store in a PostgreSQL database. The key of the directory has to open what other servers have
// sealed there.
func (d StateDir) openDatabase(ctx context.Context, address string) (sluice.Store, error) {
	d.redactor.LearnURLs(address)
	store, err := postgres.Open(ctx, address)
	if err != nil {
		return nil, err
	}
	if err := d.opens(ctx, store); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return d.redactor.Store(store), nil
}

// learn learns the secrets that deployments of this directory use: what a person types may hold one.
func (d StateDir) learn() {
	if path, err := d.remembered(); err == nil && path != "" {
		_, _ = d.load(path) // a command that uses it says what is wrong
	}
}

// Verify reads everything in the store and returns how many deployments it holds, 0 if there is no store. Invalid: it
// is damaged; Denied: others may use the directory, or its key is missing or not the original. It changes nothing.
func (d StateDir) Verify(ctx context.Context) (int, error) {
	if info, err := os.Stat(d.path); err == nil && info.Mode().Perm()&0o077 != 0 {
		return 0, sluice.Errorf(sluice.Denied, "other users may use the state directory %s", d).
			WithHint("type: chmod 700 %s", d)
	}
	store, err := sqlite.OpenReadOnly(ctx, d.Path("sluice.db"))
	if sluice.ErrorCode(err) == sluice.NotFound {
		return 0, nil
	}
	if err != nil {
		return 0, d.newer(err)
	}
	defer store.Close()
	if err := store.Verify(ctx); err != nil {
		return 0, err
	}
	if err := d.verifyKey(ctx); err != nil {
		return 0, err
	}
	list, err := store.Deployments(ctx, "")
	return len(list), err
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

// Configuration reads the sluice.yaml at the explicit path, or that of a deploy file. Without either it reads the one
// that the last engine of this directory used, so that account names keep their meaning, or the working directory's.
func (d StateDir) Configuration(explicit, file string) (*config.Config, error) {
	path, err := d.configurationPath(explicit, file)
	if err != nil {
		return nil, err
	}
	if path == "" {
		return config.Default(), nil
	}
	return d.load(path)
}

// load reads the configuration and learns its secrets; if it is wrong, the passwords that a finding could show.
func (d StateDir) load(path string) (*config.Config, error) {
	c, err := config.Load(path)
	if err == nil {
		d.redactor.LearnSources(c)
	} else if text, err := config.Read(path); err == nil {
		d.redactor.LearnURLs(string(text))
	}
	return c, err
}

func (d StateDir) configurationPath(explicit, file string) (string, error) {
	if explicit != "" {
		return explicit, nil
	}
	if file != "" {
		return config.Find(filepath.Dir(file), ".")
	}
	if path, err := d.remembered(); path != "" || err != nil {
		return path, err
	}
	return config.Find(".")
}

// remembered returns the path of the sluice.yaml that the last engine used, "" if it used none.
func (d StateDir) remembered() (string, error) {
	path, err := os.ReadFile(d.Path("configuration"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", sluice.Errorf(sluice.Invalid, "the state directory cannot be read: %w", err)
	}
	return strings.TrimSpace(string(path)), nil
}

// remember records the path of the sluice.yaml and the version of this program. The caller holds the lock.
func (d StateDir) remember(c *config.Config) error {
	path, err := absolute(c.File)
	if err != nil {
		return err
	}
	err = writeFile(d.Path("configuration"), []byte(path+"\n"))
	if err := errors.Join(err, writeFile(d.Path("version"), []byte(Version().Version+"\n"))); err != nil {
		return sluice.Errorf(sluice.Unavailable, "the state directory cannot be written: %w", err)
	}
	return nil
}

// newer names this version and the one that used the directory last in the error of a store with a newer format.
func (d StateDir) newer(err error) error {
	if sluice.ErrorCode(err) != sluice.Unsupported {
		return err
	}
	theirs := "a newer sluice"
	if text, err := os.ReadFile(d.Path("version")); err == nil {
		theirs = "sluice " + strings.TrimSpace(string(text))
	}
	return sluice.Errorf(sluice.Unsupported, "this is sluice %s, and %s used the state directory last: %w",
		Version().Version, theirs, err).WithHint("%s", sluice.ErrorHint(err))
}

func absolute(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	return filepath.Abs(path)
}

// sameConfiguration returns an error if the engine of this directory uses another sluice.yaml: an account of the same
// name may be another place there.
func (d StateDir) sameConfiguration(c *config.Config) error {
	theirs, err := d.remembered()
	if err != nil {
		return err
	}
	ours, err := absolute(c.File)
	if err != nil || ours == theirs {
		return err
	}
	const none = "no " + config.FileName
	return sluice.Errorf(sluice.Conflict, "the sluice that runs deployments in %s uses %s, and this command uses %s",
		d, cmp.Or(theirs, none), cmp.Or(ours, none)).
		WithHint("wait until it ends, name the same file with --config, or use another state directory with --state")
}

// KeepReport writes the verification that the event ends into a file of its own. A repetition changes nothing.
func (d StateDir) KeepReport(s *engine.State, e sluice.Event) error {
	v := verification(e)
	if v == nil {
		return nil
	}
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(d.Report(s.ID, e.Step), append(data, '\n'))
}

// verification returns the verification that an event ends, nil if it ends none.
func verification(e sluice.Event) *sluice.Verification {
	if e.Kind != sluice.StepDone && e.Kind != sluice.StepFailed {
		return nil
	}
	if e.Failure != nil && e.Failure.Result != nil && e.Failure.Result.Verification != nil {
		return e.Failure.Result.Verification
	}
	if e.Progress != nil && e.Progress.Result != nil {
		return e.Progress.Result.Verification
	}
	return nil
}

// Report returns the path of a step's verification.
func (d StateDir) Report(id sluice.DeploymentID, step sluice.StepID) string {
	return filepath.Join(d.Path("reports"), string(id), strings.ReplaceAll(string(step), "/", ".")+".json")
}

// writeFile replaces the file durably and atomically. It creates the directory.
func writeFile(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".next-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
