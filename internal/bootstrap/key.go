package bootstrap

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sluice-cd/sluice"
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

// mustHaveKey refuses a directory that lost its key.
func (d StateDir) mustHaveKey(ctx context.Context) error {
	if _, err := os.Stat(d.Path("key")); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	sealed, err := d.holdsSealed(ctx)
	if err == nil && sealed {
		err = d.keyLost("the secrets of its deployments")
	}
	return err
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

// holdsSealed reports whether the log holds a sealed value. It reads all of it, but only if the key is missing.
func (d StateDir) holdsSealed(ctx context.Context) (bool, error) {
	store, err := d.Read(ctx)
	if sluice.ErrorCode(err) == sluice.NotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer store.Close()
	list, err := store.Deployments(ctx, "")
	for _, deployment := range list {
		for e, err := range store.Read(ctx, deployment.ID, 0) {
			if err != nil {
				return false, err
			}
			text, err := json.Marshal(e)
			if err != nil || bytes.Contains(text, []byte(secret.SealedPrefix)) {
				return true, err
			}
		}
	}
	return false, err
}
