package fingerprint

import "slices"

// A List counts keys and keeps the first of them in an order. It needs memory for twice as many keys as it keeps.
type List[K any] struct {
	Count   int64
	limit   int
	compare func(a, b K) int
	keys    []K
}

// NewList keeps the first limit keys in the order of compare.
func NewList[K any](limit int, compare func(a, b K) int) *List[K] {
	return &List[K]{limit: max(0, limit), compare: compare}
}

// Add counts a key and keeps it if it is among the first.
func (l *List[K]) Add(key K) {
	l.Count++
	l.keys = append(l.keys, key)
	if len(l.keys) > 2*l.limit {
		l.cut()
	}
}

// First returns the first keys in order.
func (l *List[K]) First() []K {
	l.cut()
	return l.keys
}

func (l *List[K]) cut() {
	slices.SortFunc(l.keys, l.compare)
	l.keys = slices.Delete(l.keys, min(len(l.keys), l.limit), len(l.keys))
}
