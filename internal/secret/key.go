package secret

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"

	"github.com/sluice-cd/sluice"
)

// KeyBytes is the length of a key.
const KeyBytes = 32

// A Key is the key of a state directory. All other keys are derived from it, each for one purpose.
type Key struct {
	seal, nonce, callback, password, derived []byte
	redactor                                 *Redactor
}

// NewKey derives the keys from 32 random bytes. The redactor learns what the key seals and opens, and the secrets that
// it makes.
func NewKey(raw []byte, r *Redactor) (*Key, error) {
	if len(raw) != KeyBytes {
		return nil, sluice.Errorf(sluice.Invalid, "the key has %d bytes instead of %d", len(raw), KeyBytes).
			WithHint("put the original key file back; without it no sealed value can be opened")
	}
	k := &Key{redactor: r}
	for purpose, into := range map[string]*[]byte{
		"sluice seal": &k.seal, "sluice seal nonce": &k.nonce, "sluice callback": &k.callback, "sluice password": &k.password,
		"sluice derived": &k.derived,
	} {
		derived, err := hkdf.Key(sha256.New, raw, nil, purpose, KeyBytes)
		if err != nil {
			return nil, sluice.Errorf(sluice.Internal, "derive the key for %s: %w", purpose, err)
		}
		*into = derived
	}
	return k, nil
}

// Password returns the password for the purpose. It is always the same.
func (k *Key) Password(purpose string) string {
	password := hex.EncodeToString(mac(k.password, purpose))
	k.redactor.Learn(password)
	return password
}

// Derived returns a key of 32 bytes for the purpose. It is always the same.
func (k *Key) Derived(purpose string) []byte { return mac(k.derived, purpose) }
