package fingerprint

import (
	"github.com/zeebo/xxh3"

	"github.com/sluice-cd/sluice"
)

// A Hash is the hash of one document.
type Hash struct{ Hi, Lo uint64 }

// HashOf hashes a document's canonical bytes.
func HashOf(document []byte) Hash {
	h := xxh3.Hash128(document)
	return Hash{Hi: h.Hi, Lo: h.Lo}
}

// Merge returns the digest of the union of two disjoint sets of documents.
func Merge(a, b sluice.Digest) sluice.Digest {
	return sluice.Digest{Count: a.Count + b.Count, Xor: a.Xor ^ b.Xor, Sum: a.Sum + b.Sum}
}

// MergeAll returns the digest of the union of disjoint sets.
func MergeAll(digests []sluice.Digest) sluice.Digest {
	var sum sluice.Digest
	for _, d := range digests {
		sum = Merge(sum, d)
	}
	return sum
}

func digestOf(h Hash) sluice.Digest { return sluice.Digest{Count: 1, Xor: h.Lo, Sum: h.Hi} }
