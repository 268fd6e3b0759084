package fingerprint

import (
	"cmp"
	"encoding/json"

	"github.com/sluice-cd/sluice"
)

// A Batch is a set of segments that are read again together.
type Batch struct {
	segments int
	in       []bool
}

// Has reports whether the batch contains the document with this key.
func (b Batch) Has(key []byte) bool { return b.in[SegmentOf(key, b.segments)] }

// packed is a Batch in JSON: bit i of In is segment i.
type packed struct {
	Of int    `json:"of"`
	In []byte `json:"in"`
}

// MarshalJSON implements json.Marshaler.
func (b Batch) MarshalJSON() ([]byte, error) {
	p := packed{Of: b.segments, In: make([]byte, (b.segments+7)/8)}
	for i, in := range b.in {
		if in {
			p.In[i/8] |= 1 << (i % 8)
		}
	}
	return json.Marshal(p)
}

// UnmarshalJSON implements json.Unmarshaler.
func (b *Batch) UnmarshalJSON(text []byte) error {
	var p packed
	if err := json.Unmarshal(text, &p); err != nil {
		return err
	}
	n := p.Of
	if n < 1 || n > maxSegments || n&(n-1) != 0 || len(p.In) != (n+7)/8 {
		return sluice.Errorf(sluice.Invalid, "a batch of %d segments in %d bytes", n, len(p.In))
	}
	*b = Batch{segments: n, in: make([]bool, n)}
	for i := range b.in {
		b.in[i] = p.In[i/8]&(1<<(i%8)) != 0
	}
	return nil
}

// Narrow says which documents of the pair must be read again: those of every segment whose digests differ. A batch has
// at most about budget documents, so that its Join fits into memory. A larger segment is a batch of its own.
func Narrow(p Pair, budget int64) []Batch {
	n := max(1, min(orMax(len(p.Was.Segments)), orMax(len(p.Now.Segments))))
	was, now := Fold(p.Was.Segments, n), Fold(p.Now.Segments, n)
	var batches []Batch
	var held int64
	for i := range n {
		if was[i] == now[i] {
			continue
		}
		size := documents(was[i], now[i])
		if len(batches) == 0 || held+size > budget {
			batches, held = append(batches, Batch{segments: n, in: make([]bool, n)}), 0
		}
		batches[len(batches)-1].in[i] = true
		held += size
	}
	return batches
}

func documents(was, now sluice.Digest) int64 { return max(was.Count, 0) + max(now.Count, 0) }

// orMax replaces the number of segments of a side without the collection, so that the other side's number is used.
func orMax(n int) int { return cmp.Or(n, maxSegments) }
