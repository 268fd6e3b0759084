package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/sluice-cd/sluice"
)

// CursorOf implements [sluice.Readers].
func (s *Store) CursorOf(ctx context.Context, name string) (sluice.Cursor, error) {
	found, err := list(ctx, s, func(rows pgx.Rows, c *sluice.Cursor) error { return rows.Scan(c) },
		"SELECT cursor FROM readers WHERE name = $1", name)
	if err != nil {
		return 0, s.storeError(ctx, err, "read")
	}
	if len(found) == 0 {
		return 0, sluice.Errorf(sluice.NotFound, "there is no reader %s", name)
	}
	return found[0], nil
}

// PutCursor implements [sluice.Readers].
func (s *Store) PutCursor(ctx context.Context, name string, c sluice.Cursor) error {
	if name == "" {
		return sluice.Errorf(sluice.Invalid, "a reader has to have a name")
	}
	return s.execute(ctx, `INSERT INTO readers AS r (name, cursor) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET cursor = greatest(r.cursor, excluded.cursor)`, name, int64(c))
}
