package remote

import (
	"slices"

	"github.com/sluice-cd/sluice/internal/mover/tree"
)

// An order is what was asked for, and what of it did not arrive yet. It belongs to one goroutine at a time.
type order struct {
	wanted []*want
	byPath map[string][]*want
	left   int // segments
}

// A want is one part with its segments that did not arrive yet.
type want struct {
	tree.Part
	arrived []bool
}

func newOrder(parts []tree.Part) *order {
	o := &order{byPath: map[string][]*want{}}
	for _, p := range parts {
		w := &want{p, make([]bool, p.Segments())}
		o.wanted = append(o.wanted, w)
		o.byPath[p.Path] = append(o.byPath[p.Path], w)
		o.left += len(w.arrived)
	}
	return o
}

// parts returns what is missing, as few parts as possible.
func (o *order) parts() []tree.Part {
	var all []tree.Part
	for _, w := range o.wanted {
		for i := 0; i < len(w.arrived); {
			end := i
			for end < len(w.arrived) && !w.arrived[end] {
				end++
			}
			if end > i {
				all = append(all, w.run(i, end))
			}
			i = end + 1
		}
	}
	return all
}

// run returns the segments from i to before end.
func (w *want) run(i, end int) tree.Part {
	return tree.Part{
		Path: w.Path, Offset: w.Offset + int64(i)*tree.Segment,
		Length: min(int64(end)*tree.Segment, w.Length) - int64(i)*tree.Segment,
		Known:  w.Known[min(i, len(w.Known)):min(end, len(w.Known))],
	}
}

// check notes that a segment arrived. It refuses one that was not asked for, arrived before, or is not whole.
func (o *order) check(p tree.Piece) error {
	for _, w := range o.byPath[p.Path] {
		at := p.Offset - w.Offset
		i := int(at / tree.Segment)
		if at < 0 || at%tree.Segment != 0 || i >= len(w.arrived) || w.arrived[i] {
			continue
		}
		if p.Length != min(tree.Segment, w.Length-at) || !w.explains(i, p) {
			return malformed("a segment of %.200q that is not whole", p.Path)
		}
		w.arrived[i] = true
		o.left--
		return nil
	}
	return malformed("a segment of %.200q that nobody asked for", p.Path)
}

// explains reports whether the piece has its data, or may lack it.
func (w *want) explains(i int, p tree.Piece) bool {
	if len(p.Data) > 0 {
		return int64(len(p.Data)) == p.Length
	}
	return slices.Contains(w.Known[min(i, len(w.Known)):min(i+1, len(w.Known))], p.Sum) || p.Sum == tree.ZeroSum(p.Length)
}
