package postgres

import (
	"context"
	"encoding/json"

	"github.com/jackc/pgx/v5"

	"github.com/sluice-cd/sluice"
)

// PutToken implements [sluice.Tokens].
func (s *Store) PutToken(ctx context.Context, t sluice.Token) error {
	if t.ID == "" || len(t.Hash) == 0 {
		return sluice.Errorf(sluice.Invalid, "a token has to have an id and a hash")
	}
	body, err := json.Marshal(t)
	if err != nil {
		return sluice.Errorf(sluice.Invalid, "token %s cannot be written as JSON: %w", t.ID, err)
	}
	short, cancel := context.WithTimeout(ctx, writing)
	defer cancel()
	done, err := s.pool.Exec(short, `INSERT INTO tokens (id, hash, made_at, body) VALUES ($1, $2, $3, $4)
		ON CONFLICT (id) DO NOTHING`, t.ID, t.Hash, t.MadeAt.UnixNano(), string(body))
	if err == nil && done.RowsAffected() == 0 {
		return sluice.Errorf(sluice.Conflict, "there is a token %s already", t.ID)
	}
	return s.storeError(ctx, err, "write")
}

// Token implements [sluice.Tokens].
func (s *Store) Token(ctx context.Context, id string) (sluice.Token, error) {
	found, err := list(ctx, s, scanToken, "SELECT hash, body FROM tokens WHERE id = $1", id)
	if err != nil {
		return sluice.Token{}, s.storeError(ctx, err, "read")
	}
	if len(found) == 0 {
		return sluice.Token{}, sluice.Errorf(sluice.NotFound, "there is no token %s", id)
	}
	return found[0], nil
}

// Tokens implements [sluice.Tokens].
func (s *Store) Tokens(ctx context.Context) ([]sluice.Token, error) {
	found, err := list(ctx, s, scanToken, "SELECT hash, body FROM tokens ORDER BY made_at DESC, id DESC")
	return found, s.storeError(ctx, err, "read")
}

func scanToken(rows pgx.Rows, t *sluice.Token) error { return scanJSON(rows, t, &t.Hash) }

// DeleteToken implements [sluice.Tokens].
func (s *Store) DeleteToken(ctx context.Context, id string) error {
	return s.execute(ctx, "DELETE FROM tokens WHERE id = $1", id)
}
