package fingerprint

import "github.com/sluice-cd/sluice"

// A Set summarises the documents of a collection, or of a part of it, in any order. It is for one goroutine.
type Set struct {
	segments []sluice.Digest
	bytes    int64
}

// NewSet returns an empty set. Sets that are to be merged MUST have the same number of segments, a power of two.
func NewSet(segments int) *Set { return &Set{segments: make([]sluice.Digest, segments)} }

// Add adds a document. It does not keep the bytes.
func (s *Set) Add(key, document []byte) {
	i := SegmentOf(key, len(s.segments))
	s.segments[i] = Merge(s.segments[i], digestOf(HashOf(document)))
	s.bytes += int64(len(document))
}

// Merge adds the documents of another set. The sets MUST NOT share a document.
func (s *Set) Merge(other *Set) {
	for i, d := range other.segments {
		s.segments[i] = Merge(s.segments[i], d)
	}
	s.bytes += other.bytes
}

// Fingerprint returns the fingerprint of the documents. The caller adds indexes and schema.
func (s *Set) Fingerprint(name string) sluice.CollectionFingerprint {
	digest := MergeAll(s.segments)
	return sluice.CollectionFingerprint{
		Name: name, Count: digest.Count, Bytes: s.bytes, Digest: digest, Segments: s.segments,
	}
}
