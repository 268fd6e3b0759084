package fingerprint

import (
	"math/bits"

	"github.com/zeebo/xxh3"

	"github.com/sluice-cd/sluice"
)

const (
	perSegment  = 128   // documents; a lost document costs reading so many again
	maxSegments = 65536 // 1.5 MB of digests
)

// Segments returns the number of segments for a collection of about that many documents: a power of two.
func Segments(documents int64) int {
	if documents <= perSegment {
		return 1
	}
	return min(maxSegments, 1<<bits.Len64(uint64(documents-1)/perSegment))
}

// SegmentOf returns which of n segments the key belongs to. n MUST be a power of two.
func SegmentOf(key []byte, n int) int { return int(xxh3.Hash(key) & uint64(n-1)) }

// Fold reduces a larger power of two of segments to n. Missing segments count as empty.
func Fold(segments []sluice.Digest, n int) []sluice.Digest {
	folded := make([]sluice.Digest, n)
	for i, d := range segments {
		folded[i&(n-1)] = Merge(folded[i&(n-1)], d)
	}
	return folded
}
