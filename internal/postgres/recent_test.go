package postgres

import (
	"testing"

	"github.com/sluice-cd/sluice"
)

// pageOf has the entries with the cursors from first to last.
func pageOf(first, last int) page {
	p := page{bytes: 100 * (last - first + 1)}
	for n := first; n <= last; n++ {
		p.entries = append(p.entries, sluice.Entry{Cursor: sluice.Cursor(n)})
	}
	return p
}

// A recent answers only if it has the entry that comes next, and keeps little.
func TestRecentLeavesNothingOut(t *testing.T) {
	large := func(p page) page {
		p.bytes = pageBytes - 100
		return p
	}
	for name, tt := range map[string]struct {
		keep func(r *recent)
		want map[sluice.Cursor]int // the number of entries after the cursor that come at once
	}{
		"nothing": {func(*recent) {}, map[sluice.Cursor]int{0: 0, 7: 0}},
		"one page": {func(r *recent) { r.keep(3, pageOf(5, 9)) }, // 4 was never used
			map[sluice.Cursor]int{2: 0, 3: 5, 4: 5, 5: 4, 8: 1, 9: 0, 12: 0}},
		"pages that follow each other": {func(r *recent) {
			r.keep(0, pageOf(1, 4))
			r.keep(4, pageOf(5, 9))
		}, map[sluice.Cursor]int{0: 4, 3: 1, 4: 5, 9: 0}},
		"a gap": {func(r *recent) {
			r.keep(0, pageOf(1, 4))
			r.keep(6, pageOf(7, 9))
		}, map[sluice.Cursor]int{0: 0, 4: 0, 5: 0, 6: 3, 9: 0}},
		"a page of somebody who is behind": {func(r *recent) {
			r.keep(4, pageOf(5, 9))
			r.keep(0, pageOf(1, 4))
			r.keep(3, pageOf(4, 9))
		}, map[sluice.Cursor]int{0: 0, 3: 0, 4: 5, 9: 0}},
		"an empty page": {func(r *recent) {
			r.keep(0, pageOf(1, 4))
			r.keep(9, page{})
		}, map[sluice.Cursor]int{0: 4}},
		"too many": {func(r *recent) {
			r.keep(0, pageOf(1, 200))
			r.keep(200, pageOf(201, 300))
		}, map[sluice.Cursor]int{0: 0, 199: 0, 200: 100, 299: 1}},
		"too large together": {func(r *recent) {
			r.keep(0, large(pageOf(1, 4)))
			r.keep(4, pageOf(5, 9))
		}, map[sluice.Cursor]int{0: 0, 3: 0, 4: 5}},
		"one that is too large": {func(r *recent) {
			p := pageOf(1, 1)
			p.bytes = pageBytes + 1
			r.keep(0, p)
			r.keep(1, pageOf(2, 3))
		}, map[sluice.Cursor]int{0: 0, 1: 2}},
	} {
		r := newRecent()
		tt.keep(&r)
		for after, want := range tt.want {
			got := r.since(after)
			if len(got) != want || want > 0 && got[0].Cursor <= after {
				t.Errorf("%s: %d entries after %d, want %d", name, len(got), after, want)
			}
		}
	}
}
