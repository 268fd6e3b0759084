package sqlite

import (
	"context"
	"iter"

	"github.com/sluice-cd/sluice"
)

// Newest implements [sluice.Tail].
func (s *Store) Newest(ctx context.Context) (newest sluice.Cursor, err error) {
	err = s.read.QueryRowContext(ctx, "SELECT coalesce(max(position), 0) FROM events").Scan(&newest)
	return newest, storeError(err, "read", s.path)
}

// Tail implements [sluice.Tail]. Positions are drawn by the one transaction that writes, so they are the order of
// commits.
func (s *Store) Tail(ctx context.Context, after sluice.Cursor) iter.Seq2[sluice.Entry, error] {
	return func(yield func(sluice.Entry, error) bool) {
		err := s.follow(ctx, events, func() (bool, error) {
			for {
				page, err := s.tailPage(ctx, after)
				if err != nil {
					return false, err
				}
				for _, e := range page {
					if !yield(e, nil) {
						return true, nil
					}
					after = e.Cursor
				}
				if len(page) < pageSize {
					return false, nil
				}
			}
		})
		if err != nil {
			yield(sluice.Entry{}, err)
		}
	}
}

func (s *Store) tailPage(ctx context.Context, after sluice.Cursor) ([]sluice.Entry, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT e.body, e.deployment, e.seq, "+s.sumColumn()+`, e.position, d.id
		FROM events e JOIN deployments d ON d.number = e.deployment WHERE e.position > ?
		ORDER BY e.position LIMIT ?`, int64(after), pageSize)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(e *sluice.Entry) error { return s.scanEvent(rows, &e.Event, 0, &e.Cursor, &e.Deployment) })
}

// follow looks at the store now and after every change of the topic, until look says that it has seen enough or ctx
// ends.
func (s *Store) follow(ctx context.Context, t topic, look func() (enough bool, err error)) error {
	s.peers.listen()
	for {
		changed := s.peers.changed(t)
		enough, err := look()
		if ctx.Err() != nil || enough {
			return nil
		}
		if err != nil {
			return storeError(err, "read", s.path)
		}
		if !s.peers.wait(ctx, changed) {
			return nil
		}
	}
}
