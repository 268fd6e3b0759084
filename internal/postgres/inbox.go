package postgres

import (
	"cmp"
	"context"
	"encoding/json"
	"iter"

	"github.com/jackc/pgx/v5"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/appending"
)

// Send implements [sluice.Inbox]. After Unavailable the letter may have been sent.
func (s *Store) Send(ctx context.Context, id sluice.DeploymentID, sig sluice.Signal) (sluice.LetterID, error) {
	body, err := json.Marshal(sig)
	if err != nil {
		return 0, sluice.Errorf(sluice.Invalid, "the signal cannot be written as JSON: %w", err)
	}
	var letter sluice.LetterID
	err = s.writer.do(ctx, ask{deployments: []string{string(id)}}, func(t *transaction) error {
		if err := appending.MayReceive(id, t.deployments[id].head); err != nil {
			return err
		}
		t.statements.Queue("INSERT INTO letters (deployment, body) VALUES ($1, $2) RETURNING number", id, string(body)).
			QueryRow(func(row pgx.Row) error { return row.Scan(&letter) })
		t.topics = append(t.topics, letters)
		return nil
	})
	return letter, err
}

// Letters implements [sluice.Inbox].
func (s *Store) Letters(ctx context.Context, id sluice.DeploymentID) ([]sluice.Letter, error) {
	found, err := list(ctx, s, func(rows pgx.Rows, l *sluice.Letter) error { return scanJSON(rows, &l.Signal, &l.ID) },
		"SELECT number, body FROM letters WHERE NOT settled AND deployment = $1 ORDER BY number", id)
	return found, s.storeError(ctx, err, "read")
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
			found, err := list(ctx, s, func(rows pgx.Rows, a *arrival) error { return rows.Scan(&a.number, &a.deployment) },
				"SELECT number, deployment FROM letters WHERE NOT settled AND number > $1 ORDER BY number", last)
			for _, a := range found {
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
	refusal := string(body)
	return s.writer.do(ctx, ask{letters: []int64{int64(id)}}, func(t *transaction) error {
		l := t.letters[id]
		if l == nil {
			return appending.NoLetter(id)
		}
		if !l.settled {
			t.settle(id, &refusal)
		}
		return nil
	})
}

// Answer implements [sluice.Inbox].
func (s *Store) Answer(ctx context.Context, id sluice.LetterID) (a sluice.Answer, err error) {
	defer s.news.wake(topic(id)) // so that the topic is kept no longer than somebody waits
	look := context.WithoutCancel(ctx)
	followed := s.follow(ctx, topic(id), func() (bool, error) {
		a, err = s.look(look, id)
		return a.Settled || err != nil, nil // this error counts also if ctx has ended
	})
	return a, s.storeError(look, cmp.Or(err, followed), "read")
}

// look reads what became of a letter so far.
func (s *Store) look(ctx context.Context, id sluice.LetterID) (sluice.Answer, error) {
	found, err := list(ctx, s, func(rows pgx.Rows, a *sluice.Answer) error {
		var refusal []byte
		if err := rows.Scan(&a.Settled, &refusal); err != nil || refusal == nil {
			return err
		}
		a.Refusal = &sluice.Failure{}
		return json.Unmarshal(refusal, a.Refusal)
	}, "SELECT settled, refusal FROM letters WHERE number = $1", id)
	if err != nil {
		return sluice.Answer{}, err
	}
	if len(found) == 0 {
		return sluice.Answer{}, appending.NoLetter(id)
	}
	return found[0], nil
}
