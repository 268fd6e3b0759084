// Package keyfile keeps the key of a state directory in a file. It imports the root package and internal/secret.
package keyfile

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/secret"
)

// Open reads the key in the file. If there is no file, it makes one that only its owner can read. Several processes
// may do so at once: they all get the same key. The redactor learns what the key seals, opens and makes.
func Open(file string, r *secret.Redactor) (*secret.Key, error) {
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		made := make([]byte, secret.KeyBytes)
		rand.Read(made) // never fails: it ends the program if there is no randomness
		if err := create(file, made); err != nil {
			return nil, sluice.Errorf(sluice.Unavailable, "the key file %s cannot be made: %w", file, err)
		}
		raw, err = os.ReadFile(file)
	}
	if err != nil {
		return nil, sluice.Errorf(sluice.Denied, "the key cannot be read: %w", err)
	}
	info, err := os.Stat(file)
	if err != nil {
		return nil, sluice.Errorf(sluice.Denied, "the key cannot be read: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, sluice.Errorf(sluice.Denied, "other users may read the key %s", file).WithHint("type: chmod 600 %s", file)
	}
	return secret.NewKey(raw, r)
}

// Put makes the file with this key. It changes no file: Conflict if there is one with another key. Several processes
// may do so at once. Invalid: raw is shorter or longer than a key.
func Put(file string, raw []byte) error {
	if len(raw) != secret.KeyBytes {
		return sluice.Errorf(sluice.Invalid, "the key has %d bytes instead of %d", len(raw), secret.KeyBytes)
	}
	if err := create(file, raw); err != nil {
		return sluice.Errorf(sluice.Unavailable, "the key file %s cannot be made: %w", file, err)
	}
	there, err := os.ReadFile(file)
	if err != nil {
		return sluice.Errorf(sluice.Denied, "the key cannot be read: %w", err)
	}
	if !bytes.Equal(there, raw) {
		return sluice.Errorf(sluice.Conflict, "the file %s holds another key", file)
	}
	return nil
}

// create writes a complete temporary file and links it into place. So no process ever reads half a key, and the first
// of several processes wins.
func create(file string, raw []byte) error {
	temp, err := os.CreateTemp(filepath.Dir(file), ".key-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(raw)
	if err := errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return err
	}
	if err := os.Link(temp.Name(), file); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	dir, err := os.Open(filepath.Dir(file))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
