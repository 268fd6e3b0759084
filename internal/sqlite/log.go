package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/appending"
)

// pageSize is how many events are held in memory at once while a log is read. Between pages no read transaction is
// open, so that a slow reader never keeps the write-ahead log from being folded into the file.
const pageSize = 256

// sizeAfter returns how many events to read next. A log is often read only for the plan, which is in the first event.
func sizeAfter(after sluice.Seq) int {
	if after == 0 {
		return 1
	}
	return pageSize
}

// Read implements [sluice.Log]. Events that are appended while it goes on are yielded too.
func (s *Store) Read(ctx context.Context, id sluice.DeploymentID, after sluice.Seq) iter.Seq2[sluice.Event, error] {
	return func(yield func(sluice.Event, error) bool) {
		for first := true; ; first = false {
			size := sizeAfter(after)
			page, err := s.readPage(ctx, id, after, size)
			if err == nil && first && len(page) == 0 {
				err = s.mustExist(ctx, id)
			}
			if err != nil {
				yield(sluice.Event{}, storeError(err, "read", s.path))
				return
			}
			for _, e := range page {
				if !yield(e, nil) {
					return
				}
				after = e.Seq
			}
			if len(page) < size {
				return
			}
		}
	}
}

// readPage returns the next events after the one numbered after, as many as size at most.
func (s *Store) readPage(
	ctx context.Context, id sluice.DeploymentID, after sluice.Seq, size int,
) ([]sluice.Event, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT body, deployment, seq, "+s.sumColumn()+` FROM events
		WHERE deployment = (SELECT number FROM deployments WHERE id = ?) AND seq > ? ORDER BY seq LIMIT ?`,
		string(id), int64(after), size)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(e *sluice.Event) error {
		after++
		return s.scanEvent(rows, e, after)
	})
}

// scanEvent reads a row with body, deployment, seq and checksum, and what follows them into others. It refuses an event
// that is not as it was written, or that does not have the number, unless that is 0.
func (s *Store) scanEvent(rows *sql.Rows, e *sluice.Event, number sluice.Seq, others ...any) error {
	var body sql.RawBytes
	var deployment int64
	var seq sluice.Seq
	var want sql.NullInt64
	if err := rows.Scan(append([]any{&body, &deployment, &seq, &want}, others...)...); err != nil {
		return err
	}
	if number != 0 && seq != number {
		return damageError(s.path, fmt.Sprintf("event %d of a deployment is missing", number))
	}
	if err := verifyEvent(s.path, deployment, seq, body, want); err != nil {
		return err
	}
	return json.Unmarshal(body, e)
}

// mustExist returns NotFound if there is no such deployment.
func (s *Store) mustExist(ctx context.Context, id sluice.DeploymentID) error {
	var exists bool
	row := s.read.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM deployments WHERE id = ?)", string(id))
	if err := row.Scan(&exists); err != nil {
		return err
	}
	if !exists {
		return appending.Unknown(id)
	}
	return nil
}

// Deployments implements [sluice.Log].
func (s *Store) Deployments(ctx context.Context, application string) ([]sluice.Deployment, error) {
	where, args := ofApplication(application)
	rows, err := s.read.QueryContext(ctx,
		"SELECT id, application, started_at, started_by, ended_at, outcome FROM deployments"+
			where+" ORDER BY started_at DESC, id DESC", args...)
	if err != nil {
		return nil, storeError(err, "read", s.path)
	}
	list, err := collect(rows, func(d *sluice.Deployment) error { return scanDeployment(rows, d) })
	return list, storeError(err, "read", s.path)
}

// ofApplication returns the condition that lists share; "" is every application. Two plain queries, not one with OR, so
// that each finds its index.
func ofApplication(application string) (where string, args []any) {
	if application == "" {
		return "", nil
	}
	return " WHERE application = ?", []any{application}
}

// scanDeployment reads one row of deployments.
func scanDeployment(rows *sql.Rows, d *sluice.Deployment) error {
	var started int64
	var ended sql.NullInt64
	if err := rows.Scan(&d.ID, &d.Application, &started, &d.StartedBy, &ended, &d.Outcome); err != nil {
		return err
	}
	d.StartedAt = time.Unix(0, started).UTC()
	if ended.Valid {
		d.EndedAt = time.Unix(0, ended.Int64).UTC()
	}
	return nil
}

// Unended implements [sluice.Log].
func (s *Store) Unended(ctx context.Context) ([]sluice.DeploymentID, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT id FROM deployments WHERE ended_at IS NULL ORDER BY started_at, id")
	if err != nil {
		return nil, storeError(err, "read", s.path)
	}
	list, err := collect(rows, func(id *sluice.DeploymentID) error { return rows.Scan(id) })
	return list, storeError(err, "read", s.path)
}

// collect reads all rows and closes them.
func collect[T any](rows *sql.Rows, scan func(*T) error) ([]T, error) {
	defer rows.Close()
	var list []T
	for rows.Next() {
		var item T
		if err := scan(&item); err != nil {
			return nil, err
		}
		list = append(list, item)
	}
	return list, rows.Err()
}

// scanJSON reads a row whose first column is JSON.
func scanJSON(rows *sql.Rows, into any, others ...any) error {
	var body sql.RawBytes
	if err := rows.Scan(append([]any{&body}, others...)...); err != nil {
		return err
	}
	return json.Unmarshal(body, into)
}
