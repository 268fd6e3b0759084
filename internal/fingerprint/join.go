package fingerprint

import "sync"

// A Join finds what differs between two sides that are read at the same time. What both sides have alike is
// forgotten at once, so two sides in about the same order need little memory. It is safe for concurrent use.
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

// NewJoin calls changed, one call at a time, with every key whose document is not alike on both sides. The bytes
// are only valid during the call.
func NewJoin(changed func(key []byte)) *Join {
	return &Join{open: map[string]halfway{}, changed: changed}
}

// Add gives the join one document of a side. A key MUST be given once a side at most.
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

// Rest calls missing with the keys that only Was had, added with those that only Now had, in no order. It is
// called once both sides are read.
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
