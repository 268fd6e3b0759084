package postgres

import (
	"context"
	"encoding/json"

	"github.com/jackc/pgx/v5"

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
	return s.execute(ctx, `INSERT INTO checkpoints (id, application, taken_at, body) VALUES ($1, $2, $3, $4)
		ON CONFLICT (id) DO UPDATE SET application = $2, taken_at = $3, body = $4`,
		c.ID, c.Application, c.TakenAt.UnixMicro(), string(body))
}

// Checkpoint implements [sluice.Catalogue].
func (s *Store) Checkpoint(ctx context.Context, id sluice.CheckpointID) (sluice.Checkpoint, error) {
	found, err := list(ctx, s, scanCheckpoint, "SELECT body FROM checkpoints WHERE id = $1", id)
	if err != nil {
		return sluice.Checkpoint{}, s.storeError(ctx, err, "read")
	}
	if len(found) == 0 {
		return sluice.Checkpoint{}, appending.NoCheckpoint(id)
	}
	return found[0], nil
}

// Checkpoints implements [sluice.Catalogue].
func (s *Store) Checkpoints(ctx context.Context, application string) ([]sluice.Checkpoint, error) {
	where, args := ofApplication(application)
	found, err := list(ctx, s, scanCheckpoint,
		"SELECT body FROM checkpoints"+where+" ORDER BY taken_at DESC, id DESC", args...)
	return found, s.storeError(ctx, err, "read")
}

func scanCheckpoint(rows pgx.Rows, c *sluice.Checkpoint) error { return scanJSON(rows, c) }

// DeleteCheckpoint implements [sluice.Catalogue].
func (s *Store) DeleteCheckpoint(ctx context.Context, id sluice.CheckpointID) error {
	return s.execute(ctx, "DELETE FROM checkpoints WHERE id = $1", id)
}

// execute runs one statement, which is a transaction by itself.
func (s *Store) execute(ctx context.Context, statement string, args ...any) error {
	short, cancel := context.WithTimeout(ctx, writing)
	defer cancel()
	_, err := s.pool.Exec(short, statement, args...)
	return s.storeError(ctx, err, "write")
}
