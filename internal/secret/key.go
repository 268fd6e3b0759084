package secret

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sluice-cd/sluice"
)

// keyBytes is the length of every key here.
const keyBytes = 32

// A Key is the one secret of a state directory. Every other key is derived from it, each for one purpose.
type Key struct {
	seal, nonce, callback, password []byte
}

// OpenKey reads the key in the file; where there is none it makes one, readable by its owner only. Several
// processes may do so at once: they end up with the same key.
func OpenKey(file string) (*Key, error) {
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeKey(file); err != nil {
			return nil, sluice.Errorf(sluice.Unavailable, "no key can be made in %s: %w", file, err)
		}
		raw, err = os.ReadFile(file)
	}
	if err != nil {
		return nil, sluice.Errorf(sluice.Denied, "the key cannot be read: %w", err)
	}
	if err := checkMode(file); err != nil {
		return nil, err
	}
	return NewKey(raw)
}

// NewKey derives the keys from 32 random bytes.
func NewKey(raw []byte) (*Key, error) {
	if len(raw) != keyBytes {
		return nil, sluice.Errorf(sluice.Invalid, "the key has %d bytes instead of %d", len(raw), keyBytes).
			WithHint("put the original key file back; without it nothing that was sealed can be opened")
	}
	k := &Key{}
	for purpose, into := range map[string]*[]byte{
		"sluice seal": &k.seal, "sluice seal nonce": &k.nonce, "sluice callback": &k.callback, "sluice password": &k.password,
	} {
		derived, err := hkdf.Key(sha256.New, raw, nil, purpose, keyBytes)
		if err != nil {
			return nil, sluice.Errorf(sluice.Internal, "derive the key for %s: %w", purpose, err)
		}
		*into = derived
	}
	return k, nil
}

// Password returns the password that belongs to the purpose. It is the same every time.
func (k *Key) Password(purpose string) string {
	return hex.EncodeToString(mac(k.password, purpose))
}

// makeKey writes a whole file beside and links it into place, so that nobody ever reads half a key and the
// first of several makers wins.
func makeKey(file string) error {
	raw := make([]byte, keyBytes)
	rand.Read(raw) // never fails: it ends the program where there is no randomness
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
	return syncDir(filepath.Dir(file))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func checkMode(file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return sluice.Errorf(sluice.Denied, "the key cannot be read: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return sluice.Errorf(sluice.Denied, "others may read the key %s", file).WithHint("type: chmod 600 %s", file)
	}
	return nil
}
