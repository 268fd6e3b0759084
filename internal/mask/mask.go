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
	Format = "format" // letters become letters, digits digits; no two values become one
	Email  = "email"  // texts become an address that cannot exist
	Empty  = "empty"  // the empty value of the same type
	Keep   = "keep"   // declared to hold nothing that needs a mask
)

// Rules lists the rules in the order in which people should read of them.
func Rules() []string { return []string{Hash, Format, Email, Empty, Keep} }

// nowhere is a name that no resolver answers for (RFC 2606).
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

// Bytes returns as many bytes as b has. Few of them may come out alike for different values.
func (m Masker) Bytes(b []byte) []byte { return m.stream("bytes", string(b), len(b)) }

// stream returns n bytes that depend on the key, what they are for, and the value.
func (m Masker) stream(purpose, value string, n int) []byte {
	out := make([]byte, 0, n+sha256.Size)
	for block := uint64(0); len(out) < n; block++ {
		h := hmac.New(sha256.New, m.key)
		var head []byte
		for _, number := range []uint64{block, uint64(len(purpose))} { // so that no two inputs look alike
			head = binary.BigEndian.AppendUint64(head, number)
		}
		h.Write(head)
		h.Write([]byte(purpose))
		h.Write([]byte(value))
		out = h.Sum(out)
	}
	return out[:n]
}
