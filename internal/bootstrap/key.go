package bootstrap

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/keyfile"
	"github.com/sluice-cd/sluice/internal/secret"
)

// Key returns the key of the directory. It creates the key if there is none, unless the directory holds values that
// were sealed with a key: then the key was lost.
func (d StateDir) Key() (*secret.Key, error) {
	if err := d.make(); err != nil {
		return nil, err
	}
	if err := d.mustHaveKey(context.Background()); err != nil {
		return nil, err
	}
	return keyfile.Open(d.Path("key"), d.redactor)
}

// takeKey puts the key that sluice.yaml names into the directory. A directory that has another key keeps it: what was
// sealed with that key could not be opened any more.
func (d StateDir) takeKey(from config.Source) error {
	raw, err := d.readKey(from)
	if err != nil {
		return err
	}
	err = keyfile.Put(d.Path("key"), raw)
	if sluice.ErrorCode(err) == sluice.Conflict {
		return d.otherKey(from)
	}
	return err
}

func (d StateDir) otherKey(from config.Source) error {
	const message = "the key that sluice.yaml names for the server is not that of the state directory, %s"
	return sluice.Errorf(sluice.Denied, message, d.Path("key")).At(from.Pos).
		WithHint("name the key that the directory was used with: base64 < %s", d.Path("key"))
}

// readKey returns the key that sluice.yaml names.
func (d StateDir) readKey(from config.Source) ([]byte, error) {
	text, err := d.redactor.Read(from)
	if err != nil {
		return nil, err
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil || len(raw) != secret.KeyBytes {
		return nil, sluice.Errorf(sluice.Invalid, "the key of the server is not %d bytes in base64", secret.KeyBytes).
			At(from.Pos).WithHint("make one: head -c %d /dev/urandom | base64", secret.KeyBytes)
	}
	return raw, nil
}

// mustHaveKey refuses a directory that lost its key.
func (d StateDir) mustHaveKey(ctx context.Context) error {
	if _, err := os.Stat(d.Path("key")); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	value, err := d.sealed(ctx)
	if err == nil && value != "" {
		err = d.keyLost("the secrets of its deployments")
	}
	return err
}

// verifyKey refuses a directory that lost its key, or has a key that cannot open what is sealed there.
func (d StateDir) verifyKey(ctx context.Context) error {
	if err := d.mustHaveKey(ctx); err != nil {
		return err
	}
	if _, err := os.Stat(d.Path("key")); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	value, err := d.sealed(ctx)
	if err != nil || value == "" {
		return err
	}
	return d.keyOpens(value)
}

// opens refuses a key that cannot open what is sealed in the store of several servers. Without a key one is made,
// unless something is sealed already.
func (d StateDir) opens(ctx context.Context, store sluice.Store) error {
	if err := d.make(); err != nil {
		return err
	}
	value, err := sealedIn(ctx, store)
	if err != nil || value == "" {
		return err
	}
	if _, err := os.Stat(d.Path("key")); errors.Is(err, fs.ErrNotExist) {
		return sluice.Errorf(sluice.Denied, "the secrets of the deployments in the database were sealed with a key that is "+
			"not here: there is no file %s", d.Path("key")).WithHint("copy the file key of another server to that place")
	}
	return d.keyOpens(value)
}

func (d StateDir) keyOpens(value string) error {
	key, err := keyfile.Open(d.Path("key"), d.redactor)
	if err != nil {
		return err
	}
	if _, err := key.Open(value); err != nil {
		const message = "the key %s does not open the secrets of the deployments: %w"
		return sluice.Errorf(sluice.Denied, message, d.Path("key"), err).
			WithHint("put the original key file back from a copy")
	}
	return nil
}

// RepositoryKey is Key for the checkpoints in the directory, which only the key that they were made with opens.
func (d StateDir) RepositoryKey(repository string) (*secret.Key, error) {
	_, keyErr := os.Stat(d.Path("key"))
	_, err := os.Stat(filepath.Join(repository, "kopia.repository.f"))
	if errors.Is(keyErr, fs.ErrNotExist) && err == nil {
		return nil, d.keyLost("the checkpoints in " + repository)
	}
	return d.Key()
}

func (d StateDir) keyLost(needs string) error {
	return sluice.Errorf(sluice.Denied,
		"the key of the state directory %s is missing: without the file %s, %s cannot be opened", d, d.Path("key"), needs).
		WithHint("put that file back from a copy; to begin anew without them, move %s away", d)
}

var sealedValue = regexp.MustCompile(regexp.QuoteMeta(secret.SealedPrefix) + `[A-Za-z0-9+/=]+`)

// sealed returns a sealed value of the log, "" if there is none. It reads the log up to the first one.
func (d StateDir) sealed(ctx context.Context) (string, error) {
	store, err := d.Read(ctx)
	if sluice.ErrorCode(err) == sluice.NotFound {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer store.Close()
	return sealedIn(ctx, store)
}

func sealedIn(ctx context.Context, store sluice.Store) (string, error) {
	list, err := store.Deployments(ctx, "")
	for _, deployment := range list {
		for e, err := range store.Read(ctx, deployment.ID, 0) {
			if err != nil {
				return "", err
			}
			text, err := json.Marshal(e)
			if value := sealedValue.Find(text); err != nil || value != nil {
				return string(value), err
			}
		}
	}
	return "", err
}
