package postgres

import (
	"context"
	"encoding/json"
	"math"

	"github.com/jackc/pgx/v5"

	"github.com/sluice-cd/sluice"
)

// Record implements [sluice.Audit]. Entries are numbered one after the other under a lock of their own, so that none
// becomes visible after one with a higher number: who pages through them would miss it.
func (s *Store) Record(ctx context.Context, e sluice.AuditEntry) error {
	if e.At.IsZero() || e.Verb == "" {
		return sluice.Errorf(sluice.Invalid, "an audit entry has to have a time and a verb")
	}
	e.Number = 0 // the row has it
	body, err := json.Marshal(e)
	if err != nil {
		return sluice.Errorf(sluice.Invalid, "an audit entry cannot be written as JSON: %w", err)
	}
	short, cancel := context.WithTimeout(ctx, writing)
	defer cancel()
	b := &pgx.Batch{} // one transaction in one round trip; each statement sees what was committed before it
	b.Queue("BEGIN ISOLATION LEVEL READ COMMITTED")
	b.Queue("SELECT pg_advisory_xact_lock($1, $2)", ours, recording)
	b.Queue("INSERT INTO audit (number, application, body) SELECT coalesce(max(number), 0) + 1, $1, $2 FROM audit",
		e.Application, string(body))
	b.Queue("COMMIT")
	return s.storeError(ctx, s.pool.SendBatch(short, b).Close(), "write")
}

// Entries implements [sluice.Audit].
func (s *Store) Entries(ctx context.Context, application string, before int64, most int) ([]sluice.AuditEntry, error) {
	if before == 0 {
		before = math.MaxInt64
	}
	found, err := list(ctx, s, scanEntry, `SELECT number, body FROM audit
		WHERE number < $1 AND ($2 = '' OR application = $2) ORDER BY number DESC LIMIT $3`, before, application, max(most, 0))
	return found, s.storeError(ctx, err, "read")
}

func scanEntry(rows pgx.Rows, e *sluice.AuditEntry) error {
	var number int64
	if err := scanJSON(rows, e, &number); err != nil {
		return err
	}
	e.Number = number
	return nil
}
