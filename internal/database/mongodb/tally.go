package mongodb

import (
	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/fingerprint"
)

// A tally is what one worker has read of one collection.
type tally struct {
	set    *fingerprint.Set
	schema schema
	sums   map[string]*sum // by field
	fields []string        // left out
	key    []byte
	rest   []byte // a document without them
}

func newTally(c collection, invariants []sluice.Invariant, ignored fingerprint.Ignored) *tally {
	t := &tally{set: fingerprint.NewSet(fingerprint.Segments(c.expected)), sums: map[string]*sum{},
		fields: ignored.Fields(c.name)}
	for _, invariant := range invariants {
		if invariant.Sum == c.name {
			t.sums[invariant.Field] = newSum(invariant.Field)
		}
	}
	return t
}

func (t *tally) add(document []byte) error {
	var err error
	if t.key, err = appendKey(t.key[:0], document); err != nil {
		return err
	}
	if len(t.fields) > 0 {
		if t.rest, err = without(t.rest[:0], document, t.fields); err != nil {
			return err
		}
		document = t.rest
	}
	t.set.Add(t.key, document)
	for _, s := range t.sums {
		if err := s.add(document); err != nil {
			return err
		}
	}
	return t.schema.add(document)
}

func (t *tally) merge(other *tally) {
	t.set.Merge(other.set)
	t.schema.merge(&other.schema)
	for field, s := range t.sums {
		s.merge(other.sums[field])
	}
}
