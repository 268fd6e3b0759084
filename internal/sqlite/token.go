package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"

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
	return s.change(ctx, func(b *batch) error {
		result, err := b.conn.ExecContext(context.Background(),
			"INSERT INTO tokens (id, hash, made_at, body, sum) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
			t.ID, t.Hash, t.MadeAt.UnixNano(), string(body), tokenSum(t.Hash, body))
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n > 0 {
			return err
		}
		return sluice.Errorf(sluice.Conflict, "there is a token %s already", t.ID)
	})
}

func tokenSum(hash, body []byte) int64 { return sum(0, 0, slices.Concat(hash, body)) }

// Token implements [sluice.Tokens].
func (s *Store) Token(ctx context.Context, id string) (sluice.Token, error) {
	list, err := s.tokens(ctx, " WHERE id = ?", id)
	if err != nil {
		return sluice.Token{}, err
	}
	if len(list) == 0 {
		return sluice.Token{}, sluice.Errorf(sluice.NotFound, "there is no token %s", id)
	}
	return list[0], nil
}

// Tokens implements [sluice.Tokens].
func (s *Store) Tokens(ctx context.Context) ([]sluice.Token, error) {
	return s.tokens(ctx, " ORDER BY made_at DESC, id DESC")
}

// tokens returns those that the rest of the query chooses. The store of an earlier version, opened for reading, has
// none.
func (s *Store) tokens(ctx context.Context, query string, args ...any) ([]sluice.Token, error) {
	if !s.hasIdentity {
		return nil, nil
	}
	rows, err := s.read.QueryContext(ctx, "SELECT hash, body, sum, id FROM tokens"+query, args...)
	if err != nil {
		return nil, storeError(err, "read", s.path)
	}
	list, err := collect(rows, func(t *sluice.Token) error {
		var body sql.RawBytes
		var want int64
		var id string
		if err := rows.Scan(&t.Hash, &body, &want, &id); err != nil {
			return err
		}
		if want != tokenSum(t.Hash, body) {
			return damageError(s.path, fmt.Sprintf("token %q is not as it was written", id))
		}
		return json.Unmarshal(body, t)
	})
	return list, storeError(err, "read", s.path)
}

// DeleteToken implements [sluice.Tokens].
func (s *Store) DeleteToken(ctx context.Context, id string) error {
	return s.change(ctx, func(b *batch) error {
		_, err := b.conn.ExecContext(context.Background(), "DELETE FROM tokens WHERE id = ?", id)
		return err
	})
}
