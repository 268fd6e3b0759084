package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/appending"
)

// PutCheckpoint implements [sluice.Catalogue].
func (s *Store) PutCheckpoint(ctx context.Context, c sluice.Checkpoint) error {
	if c.ID == "" {
		return sluice.Errorf(sluice.Invalid, "a checkpoint has to have an id")
	}
	body, err := json.Marshal(c)
	if err != nil {
		return sluice.Errorf(sluice.Invalid, "checkpoint %s cannot be written as JSON: %w", c.ID, err)
	}
	return s.change(ctx, func(b *batch) error {
		_, err := b.conn.ExecContext(context.Background(), `INSERT INTO checkpoints (id, application, taken_at, body, sum)
			VALUES (?1, ?2, ?3, ?4, ?5)
			ON CONFLICT (id) DO UPDATE SET application = ?2, taken_at = ?3, body = ?4, sum = ?5`,
			string(c.ID), c.Application, c.TakenAt.UnixMicro(), string(body), sum(0, 0, body))
		return err
	})
}

// Checkpoint implements [sluice.Catalogue].
func (s *Store) Checkpoint(ctx context.Context, id sluice.CheckpointID) (sluice.Checkpoint, error) {
	list, err := s.checkpoints(ctx, " WHERE id = ?", string(id))
	if err != nil {
		return sluice.Checkpoint{}, err
	}
	if len(list) == 0 {
		return sluice.Checkpoint{}, appending.NoCheckpoint(id)
	}
	return list[0], nil
}

// Checkpoints implements [sluice.Catalogue].
func (s *Store) Checkpoints(ctx context.Context, application string) ([]sluice.Checkpoint, error) {
	where, args := ofApplication(application)
	return s.checkpoints(ctx, where+" ORDER BY taken_at DESC, id DESC", args...)
}

// checkpoints returns those that the rest of the query chooses.
func (s *Store) checkpoints(ctx context.Context, query string, args ...any) ([]sluice.Checkpoint, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT body, "+s.sumColumn()+", id FROM checkpoints"+query, args...)
	if err != nil {
		return nil, storeError(err, "read", s.path)
	}
	list, err := collect(rows, func(c *sluice.Checkpoint) error {
		var body sql.RawBytes
		var want sql.NullInt64
		var id string
		if err := rows.Scan(&body, &want, &id); err != nil {
			return err
		}
		if want.Valid && want.Int64 != sum(0, 0, body) {
			return damageError(s.path, fmt.Sprintf("checkpoint %q is not as it was written", id))
		}
		return json.Unmarshal(body, c)
	})
	return list, storeError(err, "read", s.path)
}

// DeleteCheckpoint implements [sluice.Catalogue].
func (s *Store) DeleteCheckpoint(ctx context.Context, id sluice.CheckpointID) error {
	return s.change(ctx, func(b *batch) error {
		_, err := b.conn.ExecContext(context.Background(), "DELETE FROM checkpoints WHERE id = ?", string(id))
		return err
	})
}
