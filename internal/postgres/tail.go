package postgres

import (
	"context"
	"iter"

	"github.com/jackc/pgx/v5"

	"github.com/sluice-cd/sluice"
)

// Newest implements [sluice.Tail].
func (s *Store) Newest(ctx context.Context) (sluice.Cursor, error) {
	found, err := list(ctx, s, func(rows pgx.Rows, c *sluice.Cursor) error { return rows.Scan(c) },
		"SELECT coalesce(max(position), 0) FROM events")
	if err != nil {
		return 0, s.storeError(ctx, err, "read")
	}
	return found[0], nil
}

// Tail implements [sluice.Tail]. Positions are drawn under the append lock, so they are the order of commits; see
// transaction.go.
func (s *Store) Tail(ctx context.Context, after sluice.Cursor) iter.Seq2[sluice.Entry, error] {
	return func(yield func(sluice.Entry, error) bool) {
		read := s.recent.first // a database that is away is told at once
		err := s.follow(ctx, events, func() (bool, error) {
			for {
				next, err := read(ctx, s, after)
				if err != nil {
					return false, err
				}
				read = s.recent.page
				for _, e := range next.entries {
					if !yield(e, nil) {
						return true, nil
					}
					after = e.Cursor
				}
				if !next.more {
					return false, nil
				}
			}
		})
		if err != nil {
			yield(sluice.Entry{}, err)
		}
	}
}
