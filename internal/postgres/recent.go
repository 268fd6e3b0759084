package postgres

import (
	"context"
	"slices"

	"github.com/sluice-cd/sluice"
)

// A recent keeps the newest pages of the feed that anybody has read. A server follows the feed in several places, which
// all want the same entries at the same time: they share one query. They also share the entries, so nobody changes one.
type recent struct {
	turn  chan struct{} // holds one value while somebody uses the fields below
	after sluice.Cursor // of the oldest page
	pages []page        // each goes on where the one before it ends
}

func newRecent() recent { return recent{turn: make(chan struct{}, 1)} }

// first returns what the database has after the cursor now.
func (r *recent) first(ctx context.Context, s *Store, after sluice.Cursor) (page, error) {
	return s.page(ctx, feedPage, pageSize, after)
}

// page returns entries after the cursor, from the database if they are not kept.
func (r *recent) page(ctx context.Context, s *Store, after sluice.Cursor) (page, error) {
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return page{}, ctx.Err()
	}
	if kept := r.since(after); len(kept) > 0 {
		return page{entries: kept, more: true}, nil
	}
	p, err := s.page(ctx, feedPage, pageSize, after)
	if err == nil {
		r.keep(after, p)
	}
	return p, err
}

// since returns the rest of the page in which the entry after the cursor is, nothing if none is known to have it.
func (r *recent) since(after sluice.Cursor) []sluice.Entry {
	if after < r.after {
		return nil
	}
	for _, p := range r.pages {
		if i := slices.IndexFunc(p.entries, func(e sluice.Entry) bool { return e.Cursor > after }); i >= 0 {
			return p.entries[i:]
		}
	}
	return nil
}

// keep adds a page if it goes on where the kept ones end, or begins anew if it is newer. It leaves out one that is
// older: who reads that is behind the others. It keeps as many entries and bytes as a page may have.
func (r *recent) keep(after sluice.Cursor, p page) {
	end := r.after
	if n := len(r.pages); n > 0 {
		end = last(r.pages[n-1])
	}
	switch {
	case after < end || len(p.entries) == 0:
		return
	case after > end:
		r.after, r.pages = after, nil
	}
	r.pages = append(r.pages, p)
	for entries, bytes := r.size(); entries > pageSize || bytes > pageBytes; entries, bytes = r.size() {
		r.after = last(r.pages[0])
		r.pages = slices.Delete(r.pages, 0, 1)
	}
}

func (r *recent) size() (entries, bytes int) {
	for _, p := range r.pages {
		entries, bytes = entries+len(p.entries), bytes+p.bytes
	}
	return entries, bytes
}

func last(p page) sluice.Cursor { return p.entries[len(p.entries)-1].Cursor }
