package kopia

import (
	"context"
	"slices"
	"sync"

	"github.com/sluice-cd/sluice/internal/mover/tree"
)

// keep takes content out of the batch that an interrupted restore left in the volume, proven by its hash.
func (f *filling) keep(ctx context.Context) error {
	left := f.to.Left()
	if left == nil {
		return nil
	}
	var parts []tree.Part
	for _, c := range f.chunks {
		if c.sum != (tree.Sum{}) {
			parts = append(parts, tree.Part{Path: c.path, Offset: c.offset, Length: c.length, Known: []tree.Sum{c.sum}})
		}
	}
	found, err := readAll(ctx, left, parts)
	if err != nil {
		return err
	}
	f.chunks = slices.DeleteFunc(f.chunks, func(c filed) bool {
		there := c.sum != (tree.Sum{}) && found[address{c.path, c.offset}].Sum == c.sum
		if there {
			f.meter.add(c.length)
		}
		return there
	})
	for i, c := range f.chunks {
		// Holes are only left where there is nothing.
		f.chunks[i].sparse = c.sparse && !found[address{c.path, c.offset}].dirty
	}
	return nil
}

// A find is what a volume has at one place.
type find struct {
	tree.Sum
	dirty bool // neither the right content nor zeros
}

func readAll(ctx context.Context, from tree.Reader, parts []tree.Part) (map[address]find, error) {
	var mu sync.Mutex
	found := map[address]find{}
	err := from.Read(ctx, parts, func(p tree.Piece) error {
		mu.Lock()
		defer mu.Unlock()
		found[address{p.Path, p.Offset}] = find{p.Sum, p.Data != nil}
		return nil
	})
	return found, err
}
