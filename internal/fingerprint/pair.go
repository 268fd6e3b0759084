package fingerprint

import (
	"maps"
	"slices"

	"github.com/sluice-cd/sluice"
)

// A Pair is one collection in two fingerprints. A side without the collection has only its name.
type Pair struct {
	Name     string
	Was, Now sluice.CollectionFingerprint
}

// Pairs pairs the collections of two fingerprints by name, without the ignored ones.
func Pairs(was, now sluice.Fingerprint, ignored Ignored) []Pair {
	pairs := map[string]Pair{}
	add := func(name string, set func(*Pair)) {
		if ignored.Collection(name) {
			return
		}
		p, ok := pairs[name]
		if !ok {
			empty := sluice.CollectionFingerprint{Name: name}
			p = Pair{Name: name, Was: empty, Now: empty}
		}
		set(&p)
		pairs[name] = p
	}
	for _, c := range was.Collections {
		add(c.Name, func(p *Pair) { p.Was = c })
	}
	for _, c := range now.Collections {
		add(c.Name, func(p *Pair) { p.Now = c })
	}
	sorted := make([]Pair, 0, len(pairs))
	for _, name := range slices.Sorted(maps.Keys(pairs)) {
		sorted = append(sorted, pairs[name])
	}
	return sorted
}

// SameDocuments reports whether the two sides have the same documents.
func (p Pair) SameDocuments() bool { return p.Was.Digest == p.Now.Digest }

// Indexes compares the indexes of the two sides, without the ignored ones. A side without the collection has no
// indexes, so a dropped empty collection shows.
func (p Pair) Indexes(ignored Ignored) (missing, added, changed []string) {
	for _, name := range slices.Sorted(maps.Keys(p.Was.Indexes)) {
		before, now := p.Was.Indexes[name], p.Now.Indexes[name]
		switch {
		case before == now || ignored.Index(p.Name, before):
		case now == "":
			missing = append(missing, name)
		default:
			changed = append(changed, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Now.Indexes)) {
		if p.Was.Indexes[name] == "" && !ignored.Index(p.Name, p.Now.Indexes[name]) {
			added = append(added, name)
		}
	}
	return missing, added, changed
}

// Differ reports whether documents or indexes differ outside the ignored collections, so that a comparison of the data
// may find something. A digest cannot show that only an ignored field differs.
func Differ(was, now sluice.Fingerprint, ignored Ignored) bool {
	return slices.ContainsFunc(Pairs(was, now, ignored), func(p Pair) bool {
		missing, added, changed := p.Indexes(ignored)
		return !p.SameDocuments() || len(missing)+len(added)+len(changed) > 0
	})
}
