package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/sluice-cd/sluice"
)

// CursorOf implements [sluice.Readers]. The store of an earlier version, opened for reading, has none.
func (s *Store) CursorOf(ctx context.Context, name string) (c sluice.Cursor, err error) {
	if s.hasReaders {
		err = s.read.QueryRowContext(ctx, "SELECT cursor FROM readers WHERE name = ?", name).Scan(&c)
	}
	if !s.hasReaders || errors.Is(err, sql.ErrNoRows) {
		return 0, sluice.Errorf(sluice.NotFound, "there is no reader %s", name)
	}
	return c, storeError(err, "read", s.path)
}

// PutCursor implements [sluice.Readers].
func (s *Store) PutCursor(ctx context.Context, name string, c sluice.Cursor) error {
	if name == "" {
		return sluice.Errorf(sluice.Invalid, "a reader has to have a name")
	}
	return s.change(ctx, func(b *batch) error {
		_, err := b.conn.ExecContext(context.Background(), `INSERT INTO readers (name, cursor) VALUES (?, ?)
			ON CONFLICT (name) DO UPDATE SET cursor = max(cursor, excluded.cursor)`, name, int64(c))
		return err
	})
}
