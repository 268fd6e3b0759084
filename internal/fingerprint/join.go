package fingerprint

import "sync"

// A Join finds the differences between two sides that are read at the same time. It forgets equal documents at once, so
// two sides in about the same order need little memory. It is safe for concurrent use.
type Join struct {
	mu      sync.Mutex
	open    map[string]halfway
	changed func(key []byte)
}

type halfway struct {
	hash Hash
	side Side
}

// A Side is one of the two that a Join compares.
type Side bool

// The sides.
const (
	Was Side = false
	Now Side = true
)

// NewJoin returns a Join that calls changed, one call at a time, with every key whose document differs between the
// sides. The bytes are only valid during the call.
func NewJoin(changed func(key []byte)) *Join {
	return &Join{open: map[string]halfway{}, changed: changed}
}

// Add adds a document of a side. A side MUST NOT add a key twice.
func (j *Join) Add(side Side, key []byte, hash Hash) {
	j.mu.Lock()
	defer j.mu.Unlock()
	other, ok := j.open[string(key)]
	if !ok || other.side == side {
		j.open[string(key)] = halfway{hash: hash, side: side}
		return
	}
	delete(j.open, string(key))
	if other.hash != hash {
		j.changed(key)
	}
}

// Rest calls missing with the keys that only Was has and added with the keys that only Now has, in no order. Call it
// when both sides are read.
func (j *Join) Rest(missing, added func(key string)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for key, half := range j.open {
		if half.side == Was {
			missing(key)
			continue
		}
		added(key)
	}
}
