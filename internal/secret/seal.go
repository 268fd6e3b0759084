package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"github.com/sluice-cd/sluice"
)

var _ sluice.Sealer = (*Key)(nil)

// SealedPrefix marks a sealed value, with the version of its form.
const SealedPrefix = "sealed:v1:"

// Seal encrypts with AES-256-GCM. The nonce is derived from the value, so the same value always gives the same text: a
// deploy file that is planned twice gives the same plan.
func (k *Key) Seal(plain string) (string, error) {
	k.redactor.Learn(plain)
	aead, err := k.aead()
	if err != nil {
		return "", err
	}
	nonce := mac(k.nonce, plain)[:aead.NonceSize()]
	return SealedPrefix + base64.StdEncoding.EncodeToString(aead.Seal(nonce, nonce, []byte(plain), nil)), nil
}

// Open reverses Seal. A value that was sealed with another key, or changed since, is Denied.
func (k *Key) Open(sealed string) (string, error) {
	aead, err := k.aead()
	if err != nil {
		return "", err
	}
	encoded, marked := strings.CutPrefix(sealed, SealedPrefix)
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if !marked || err != nil || len(raw) < aead.NonceSize() {
		return "", sluice.Errorf(sluice.Denied, "a sealed value does not have the right form")
	}
	plain, err := aead.Open(nil, raw[:aead.NonceSize()], raw[aead.NonceSize():], nil)
	if err != nil {
		return "", sluice.Errorf(sluice.Denied, "a value was sealed with another key").
			WithHint("use the state directory in which the deployment was started, with its key file")
	}
	k.redactor.Learn(string(plain))
	return string(plain), nil
}

func (k *Key) aead() (cipher.AEAD, error) {
	block, err := aes.NewCipher(k.seal)
	if err != nil {
		return nil, sluice.Errorf(sluice.Internal, "make the cipher: %w", err)
	}
	return cipher.NewGCM(block)
}

// mac authenticates the parts. Another division into parts gives another result.
func mac(key []byte, parts ...string) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		sum := sha256.Sum256([]byte(p))
		h.Write(sum[:])
	}
	return h.Sum(nil)
}
