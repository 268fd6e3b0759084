package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"

	"github.com/sluice-cd/sluice"
)

// Record implements [sluice.Audit].
func (s *Store) Record(ctx context.Context, e sluice.AuditEntry) error {
	if e.At.IsZero() || e.Verb == "" {
		return sluice.Errorf(sluice.Invalid, "an audit entry has to have a time and a verb")
	}
	e.Number = 0 // the row has it
	body, err := json.Marshal(e)
	if err != nil {
		return sluice.Errorf(sluice.Invalid, "an audit entry cannot be written as JSON: %w", err)
	}
	return s.change(ctx, func(b *batch) error {
		var number int64
		row := b.conn.QueryRowContext(context.Background(), "SELECT coalesce(max(number), 0) + 1 FROM audit")
		if err := row.Scan(&number); err != nil {
			return err
		}
		_, err := b.conn.ExecContext(context.Background(),
			"INSERT INTO audit (number, application, body, sum) VALUES (?, ?, ?, ?)",
			number, e.Application, string(body), auditSum(number, body))
		return err
	})
}

func auditSum(number int64, body []byte) int64 { return sum(0, sluice.Seq(number), body) }

// Entries implements [sluice.Audit].
func (s *Store) Entries(ctx context.Context, application string, before int64, most int) ([]sluice.AuditEntry, error) {
	if !s.hasIdentity { // the store of an earlier version, opened for reading
		return nil, nil
	}
	if before == 0 {
		before = math.MaxInt64
	}
	where, args := ofApplication(application)
	if where == "" {
		where = " WHERE true"
	}
	rows, err := s.read.QueryContext(ctx, "SELECT body, number, sum FROM audit"+where+
		" AND number < ? ORDER BY number DESC LIMIT ?", append(args, before, max(most, 0))...)
	if err != nil {
		return nil, storeError(err, "read", s.path)
	}
	list, err := collect(rows, func(e *sluice.AuditEntry) error { return s.scanEntry(rows, e) })
	return list, storeError(err, "read", s.path)
}

// scanEntry reads a row with body, number and checksum.
func (s *Store) scanEntry(rows *sql.Rows, e *sluice.AuditEntry) error {
	var body sql.RawBytes
	var number, want int64
	if err := rows.Scan(&body, &number, &want); err != nil {
		return err
	}
	if want != auditSum(number, body) {
		return damageError(s.path, fmt.Sprintf("audit entry %d is not as it was written", number))
	}
	if err := json.Unmarshal(body, e); err != nil {
		return err
	}
	e.Number = number
	return nil
}

// verifyAudit compares the latest entries, or all if latest is negative, with their checksums, and looks for gaps.
func (s *Store) verifyAudit(ctx context.Context, latest int) error {
	if !s.hasIdentity {
		return nil
	}
	rows, err := s.read.QueryContext(ctx, "SELECT body, number, sum FROM audit ORDER BY number DESC LIMIT ?", latest)
	if err != nil {
		return err
	}
	defer rows.Close()
	next := int64(0)
	for rows.Next() {
		var e sluice.AuditEntry
		if err := s.scanEntry(rows, &e); err != nil {
			return err
		}
		if next != 0 && e.Number != next-1 {
			return damageError(s.path, fmt.Sprintf("audit entries between %d and %d are missing", e.Number, next))
		}
		next = e.Number
	}
	if err := rows.Err(); err != nil || latest >= 0 || next <= 1 {
		return err
	}
	return damageError(s.path, fmt.Sprintf("audit entries before %d are missing", next))
}
