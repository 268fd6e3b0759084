package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"iter"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/appending"
)

// Send implements [sluice.Inbox].
func (s *Store) Send(ctx context.Context, id sluice.DeploymentID, sig sluice.Signal) (sluice.LetterID, error) {
	var letter sluice.LetterID
	body, err := json.Marshal(sig)
	if err != nil {
		return 0, sluice.Errorf(sluice.Invalid, "the signal cannot be written as JSON: %w", err)
	}
	err = s.change(ctx, func(b *batch) error {
		h, err := b.head(id, appending.AnySeq)
		if err != nil {
			return err
		}
		if err := appending.MayReceive(id, h.Head); err != nil {
			return err
		}
		result, err := b.conn.ExecContext(context.Background(),
			"INSERT INTO letters (deployment, body) VALUES (?, ?)", h.number, string(body))
		if err != nil {
			return err
		}
		number, err := result.LastInsertId()
		letter = sluice.LetterID(number)
		b.touch(letters)
		return err
	})
	return letter, err
}

// Letters implements [sluice.Inbox].
func (s *Store) Letters(ctx context.Context, id sluice.DeploymentID) ([]sluice.Letter, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT body, number FROM letters WHERE settled = 0
		AND deployment = (SELECT number FROM deployments WHERE id = ?) ORDER BY number`, string(id))
	if err != nil {
		return nil, storeError(err, "read", s.path)
	}
	list, err := collect(rows, func(l *sluice.Letter) error { return scanJSON(rows, &l.Signal, &l.ID) })
	return list, storeError(err, "read", s.path)
}

// Arrivals implements [sluice.Inbox].
func (s *Store) Arrivals(ctx context.Context) iter.Seq2[sluice.DeploymentID, error] {
	type arrival struct {
		number     int64
		deployment sluice.DeploymentID
	}
	return func(yield func(sluice.DeploymentID, error) bool) {
		last := int64(0)
		err := s.follow(ctx, letters, func() (bool, error) {
			rows, err := s.read.QueryContext(ctx, `SELECT l.number, d.id FROM letters l
				JOIN deployments d ON d.number = l.deployment WHERE l.settled = 0 AND l.number > ? ORDER BY l.number`, last)
			if err != nil {
				return false, err
			}
			list, err := collect(rows, func(a *arrival) error { return rows.Scan(&a.number, &a.deployment) })
			for _, a := range list {
				if !yield(a.deployment, nil) {
					return true, nil
				}
				last = a.number
			}
			return false, err
		})
		if err != nil {
			yield("", err)
		}
	}
}

// Refuse implements [sluice.Inbox].
func (s *Store) Refuse(ctx context.Context, id sluice.LetterID, reason sluice.Failure) error {
	body, err := json.Marshal(reason)
	if err != nil {
		return sluice.Errorf(sluice.Invalid, "the refusal of letter %d cannot be written as JSON: %w", id, err)
	}
	return s.change(ctx, func(b *batch) error {
		ctx := context.Background()
		var settled bool
		err := b.conn.QueryRowContext(ctx, "SELECT settled FROM letters WHERE number = ?", int64(id)).Scan(&settled)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return appending.NoLetter(id)
		case err != nil || settled:
			return err
		}
		b.touch(topic(id))
		_, err = b.conn.ExecContext(ctx,
			"UPDATE letters SET settled = 1, refusal = ? WHERE number = ?", string(body), int64(id))
		return err
	})
}

// Answer implements [sluice.Inbox].
func (s *Store) Answer(ctx context.Context, id sluice.LetterID) (a sluice.Answer, err error) {
	defer s.peers.wake([]topic{topic(id)}) // so that the topic is kept no longer than somebody waits
	look := context.WithoutCancel(ctx)
	followed := s.follow(ctx, topic(id), func() (bool, error) {
		err = s.look(look, id, &a)
		return a.Settled || err != nil, nil // this error counts also if ctx has ended
	})
	return a, storeError(cmp.Or(err, followed), "read", s.path)
}

// look reads what became of a letter so far.
func (s *Store) look(ctx context.Context, id sluice.LetterID, a *sluice.Answer) error {
	var refusal []byte
	row := s.read.QueryRowContext(ctx, "SELECT settled, refusal FROM letters WHERE number = ?", int64(id))
	err := row.Scan(&a.Settled, &refusal)
	if errors.Is(err, sql.ErrNoRows) {
		return appending.NoLetter(id)
	}
	if err != nil || refusal == nil {
		return err
	}
	a.Refusal = &sluice.Failure{}
	return json.Unmarshal(refusal, a.Refusal)
}
