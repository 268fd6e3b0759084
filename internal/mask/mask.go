package mask

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// The rules, as a deploy file writes them.
const (
	Hash   = "hash"   // texts become 32 hexadecimal digits; numbers and dates as with Format
	Format = "format" // letters become letters, digits become digits; different values stay different
	Email  = "email"  // texts become an address that cannot exist
	Empty  = "empty"  // the empty value of the same type
	Keep   = "keep"   // the value stays; it needs no mask
)

// Rules lists the rules in the order for messages.
func Rules() []string { return []string{Hash, Format, Email, Empty, Keep} }

// nowhere is a domain that cannot exist (RFC 2606).
const nowhere = "@masked.invalid"

// A Masker masks values with one key. It is safe for concurrent use.
type Masker struct{ key []byte }

// New returns the masker of the key.
func New(key []byte) Masker { return Masker{key} }

// Text masks a text by Hash, Format or Email. The empty text stays empty.
func (m Masker) Text(rule, s string) string {
	switch {
	case s == "" || rule == Empty:
		return ""
	case rule == Format:
		return m.format(s)
	case rule == Email:
		return hex.EncodeToString(m.stream("email", s, 12)) + nowhere
	}
	return hex.EncodeToString(m.stream("text", s, 16))
}

// Bytes returns as many bytes as b has. Short values may get the same mask.
func (m Masker) Bytes(b []byte) []byte { return m.stream("bytes", string(b), len(b)) }

// stream returns n bytes that depend on the key, the purpose and the value.
func (m Masker) stream(purpose, value string, n int) []byte {
	out := make([]byte, 0, n+sha256.Size)
	for block := uint64(0); len(out) < n; block++ {
		h := hmac.New(sha256.New, m.key)
		head := binary.BigEndian.AppendUint64(nil, block)
		h.Write(binary.BigEndian.AppendUint64(head, uint64(len(purpose)))) // so that no two inputs look alike
		h.Write([]byte(purpose))
		h.Write([]byte(value))
		out = h.Sum(out)
	}
	return out[:n]
}
