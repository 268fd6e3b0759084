package kopia

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/gofrs/flock"
	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/blob"
	"github.com/kopia/kopia/repo/content"
	"github.com/kopia/kopia/repo/encryption"
	"github.com/kopia/kopia/repo/format"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/mover/tree"
)

// Name is the name of this mover in its copies.
const Name = "kopia"

// identity is written into every snapshot. It is the same everywhere, so that any process that opens the repository may
// continue the work.
const identity = "sluice"

// Options says where a repository is.
type Options struct {
	Dir      string                                // of the repository; made if absent
	S3       *S3                                   // where the repository is instead
	CacheDir string                                // for metadata of the repository; never holds content
	Password func(context.Context) (string, error) // asked once, when the repository is opened

	// Reader and Writer open volumes that this process cannot reach by a directory, as tree.Open and tree.Create do; nil:
	// they are Unsupported.
	Reader func(context.Context, sluice.Transfer, sluice.Volume) (tree.Reader, error)
	Writer func(ctx context.Context, t sluice.Transfer, v sluice.Volume, content string) (tree.Writer, error)
}

// A Mover keeps copies in one repository. Its methods may be called at the same time, also from several processes. Its
// transfers live in this process.
type Mover struct {
	options Options
	place   string // of the repository, for messages

	opening sync.Mutex
	rep     repo.DirectRepository // nil until it is opened

	mu   sync.Mutex
	work map[transferKey]*work // that was begun and whose end nobody has followed yet
}

var _ sluice.Mover = (*Mover)(nil)

// New returns a mover that opens its repository when it is first used, so that the repository is created only when data
// is first copied.
func New(o Options) *Mover {
	m := &Mover{options: o, place: o.Dir, work: map[transferKey]*work{}}
	if o.S3 != nil {
		m.place = o.S3.String()
	}
	return m
}

// Open opens the repository, and creates it if there is none. A wrong password is Denied, a repository that is damaged
// is Failed.
func Open(ctx context.Context, o Options) (*Mover, error) {
	m := New(o)
	return m, m.fault("open", m.refresh(ctx))
}

// refresh opens the repository if necessary, and reads what other processes wrote.
func (m *Mover) refresh(ctx context.Context) (err error) {
	m.opening.Lock()
	defer m.opening.Unlock()
	if m.rep == nil {
		opening, why := attend(context.WithoutCancel(ctx)) // it outlives the first call that needs it
		if m.rep, err = m.open(opening); err != nil {
			return m.unopened(why(err))
		}
		m.record()
	}
	return m.rep.Refresh(ctx)
}

func (m *Mover) open(ctx context.Context) (repo.DirectRepository, error) {
	password, err := m.options.Password(ctx)
	if err != nil {
		return nil, err
	}
	st, err := m.storage(ctx)
	if err != nil {
		return nil, err
	}
	if err := m.initialize(ctx, st, password); err != nil {
		return nil, err
	}
	// kopia ends the process on a fatal error unless told otherwise; every such error is also returned.
	options := &repo.Options{DisableRepositoryLog: true, DoNotWaitForUpgrade: true, OnFatalError: func(error) {}}
	var direct repo.DirectRepository
	err = lend(st, func(info blob.ConnectionInfo) error {
		config, err := writeConfig(info, m.options.CacheDir)
		if err != nil {
			return err
		}
		rep, err := repo.Open(ctx, config, password, options)
		direct, _ = rep.(repo.DirectRepository)
		return err
	})
	return direct, err
}

// Close ends the transfers and closes the repository. All other calls MUST have returned.
func (m *Mover) Close(ctx context.Context) error {
	for key := range m.work {
		if err := m.stop(ctx, key); err != nil {
			return err
		}
	}
	if m.rep == nil {
		return nil
	}
	return m.fault("close", m.rep.Close(ctx))
}

// initialize makes the repository once, even if several processes try at the same time, or one died between the two
// files of a repository.
func (m *Mover) initialize(ctx context.Context, st blob.Storage, password string) error {
	if err := os.MkdirAll(m.options.CacheDir, 0o700); err != nil {
		return err
	}
	lock := flock.New(filepath.Join(cmp.Or(m.options.Dir, m.options.CacheDir), ".initialize"))
	if err := lock.Lock(); err != nil {
		return err
	}
	defer func() { _ = lock.Unlock() }() // ends with the process at the latest
	switch _, err := st.GetMetadata(ctx, format.KopiaRepositoryBlobID); {
	case err == nil:
		return nil
	case !errors.Is(err, blob.ErrBlobNotFound):
		return err
	}
	if err := m.mustBeEmpty(ctx, st); err != nil {
		return err
	}
	if err := st.DeleteBlob(ctx, format.KopiaBlobCfgBlobID); err != nil && !errors.Is(err, blob.ErrBlobNotFound) {
		return err
	}
	return repo.Initialize(ctx, st, &repo.NewRepositoryOptions{
		BlockFormat: format.ContentFormat{
			Hash: "BLAKE3-256-128", Encryption: encryption.DefaultAlgorithm, // AES-256-GCM
		},
	}, password)
}

func (m *Mover) mustBeEmpty(ctx context.Context, st blob.Storage) error {
	return st.ListBlobs(ctx, "p", func(b blob.Metadata) error {
		return sluice.Errorf(sluice.Failed, "the repository %s holds copies such as %s but not %s with their key",
			m.place, b.BlobID, format.KopiaRepositoryBlobID).
			WithHint("restore it from a backup, or begin a new repository in another place")
	})
}

// writeConfig writes the configuration that kopia reads from a file. It names no cache directory on purpose: kopia
// v0.23.1 would then answer reads from the cache, so that damage in the repository went unseen, and with a directory
// but no size it crashes on the first read.
func writeConfig(info blob.ConnectionInfo, dir string) (string, error) {
	raw, err := json.Marshal(repo.LocalConfig{
		Storage: &info, Caching: &content.CachingOptions{},
		ClientOptions: repo.ClientOptions{Hostname: identity, Username: identity},
	})
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	file, err := filepath.Abs(filepath.Join(dir, "kopia.json"))
	if err != nil {
		return "", err
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), "kopia.*.tmp")
	if err != nil {
		return "", err
	}
	_, err = tmp.Write(raw)
	if err := errors.Join(err, tmp.Close()); err != nil {
		return "", errors.Join(err, os.Remove(tmp.Name()))
	}
	return file, os.Rename(tmp.Name(), file)
}

// label turns any name into one that a snapshot's path and tags may contain.
func label(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' {
			return '_'
		}
		return r
	}, s)
}
