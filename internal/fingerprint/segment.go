package fingerprint

import (
	"math/bits"

	"github.com/zeebo/xxh3"

	"github.com/sluice-cd/sluice"
)

const (
	perSegment  = 128   // documents, so that a lost one costs few to be read again
	maxSegments = 65536 // 1.5 MB of digests
)

// Segments says how many segments suit a collection of about so many documents: a power of two.
func Segments(documents int64) int {
	if documents <= perSegment {
		return 1
	}
	return min(maxSegments, 1<<bits.Len64(uint64(documents-1)/perSegment))
}

// SegmentOf says to which of n segments the key belongs. n MUST be a power of two.
func SegmentOf(key []byte, n int) int { return int(xxh3.Hash(key) & uint64(n-1)) }

// Fold makes n segments out of a larger power of two. What is not there folds to empty segments.
func Fold(segments []sluice.Digest, n int) []sluice.Digest {
	folded := make([]sluice.Digest, n)
	for i, d := range segments {
		folded[i&(n-1)] = Merge(folded[i&(n-1)], d)
	}
	return folded
}
