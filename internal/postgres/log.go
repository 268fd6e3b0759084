package postgres

import (
	"context"
	"encoding/json"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/appending"
)

// A page is what is held in memory at once while a log is read: so many events, or fewer if they have more bytes
// together. Between pages no connection is in use, so slow readers keep none.
const (
	pageSize  = 256
	pageBytes = 4 << 20
)

// A page is what one query of such events returned.
type page struct {
	entries []sluice.Entry
	bytes   int  // of their bodies
	more    bool // whether more may follow
}

// paged is a query that yields the next events of one that has no limit. Its first event always comes. Lengths are
// known without reading a large body.
func paged(query, order string) string {
	return `SELECT deployment, position, found, body FROM (SELECT *, count(*) OVER () AS found,
			sum(octet_length(body)) OVER (ORDER BY ` + order + `) - octet_length(body) AS before
		FROM (` + query + ` ORDER BY ` + order + ` LIMIT $1) AS next) AS summed
		WHERE before < $2 ORDER BY ` + order
}

var (
	logPage  = paged("SELECT * FROM events WHERE deployment = $3 AND seq > $4", "seq")
	feedPage = paged("SELECT * FROM events WHERE position > $3", "position")
)

// page reads a page.
func (s *Store) page(ctx context.Context, query string, args ...any) (p page, err error) {
	found := 0
	p.entries, err = list(ctx, s, func(rows pgx.Rows, e *sluice.Entry) error {
		var body json.RawMessage
		if err := rows.Scan(&e.Deployment, &e.Cursor, &found, &body); err != nil {
			return err
		}
		p.bytes += len(body)
		return json.Unmarshal(body, &e.Event)
	}, query, append([]any{pageSize, pageBytes}, args...)...)
	p.more = found == pageSize || found > len(p.entries)
	return p, err
}

// Read implements [sluice.Log]. Events that are appended while it goes on are yielded too.
func (s *Store) Read(ctx context.Context, id sluice.DeploymentID, after sluice.Seq) iter.Seq2[sluice.Event, error] {
	return func(yield func(sluice.Event, error) bool) {
		for first := true; ; first = false {
			next, err := s.page(ctx, logPage, id, after)
			if err == nil && first && len(next.entries) == 0 {
				err = s.mustExist(ctx, id)
			}
			if err != nil {
				yield(sluice.Event{}, s.storeError(ctx, err, "read"))
				return
			}
			for _, e := range next.entries {
				if !yield(e.Event, nil) {
					return
				}
				after = e.Event.Seq
			}
			if !next.more {
				return
			}
		}
	}
}

// mustExist returns NotFound if there is no such deployment.
func (s *Store) mustExist(ctx context.Context, id sluice.DeploymentID) error {
	found, err := list(ctx, s, func(pgx.Rows, *int) error { return nil }, "SELECT FROM deployments WHERE id = $1", id)
	if err == nil && len(found) == 0 {
		return appending.Unknown(id)
	}
	return err
}

// Deployments implements [sluice.Log].
func (s *Store) Deployments(ctx context.Context, application string) ([]sluice.Deployment, error) {
	where, args := ofApplication(application)
	found, err := list(ctx, s, scanDeployment,
		"SELECT id, application, started_at, started_by, ended_at, outcome FROM deployments"+where+
			" ORDER BY started_at DESC, id DESC", args...)
	return found, s.storeError(ctx, err, "read")
}

// ofApplication returns the condition that lists share; "" is every application. Two plain queries, not one with OR, so
// that each finds its index.
func ofApplication(application string) (where string, args []any) {
	if application == "" {
		return "", nil
	}
	return " WHERE application = $1", []any{application}
}

func scanDeployment(rows pgx.Rows, d *sluice.Deployment) error {
	var started int64
	var ended *int64
	if err := rows.Scan(&d.ID, &d.Application, &started, &d.StartedBy, &ended, &d.Outcome); err != nil {
		return err
	}
	d.StartedAt = time.Unix(0, started).UTC()
	if ended != nil {
		d.EndedAt = time.Unix(0, *ended).UTC()
	}
	return nil
}

// Unended implements [sluice.Log].
func (s *Store) Unended(ctx context.Context) ([]sluice.DeploymentID, error) {
	found, err := list(ctx, s, func(rows pgx.Rows, id *sluice.DeploymentID) error { return rows.Scan(id) },
		"SELECT id FROM deployments WHERE ended_at IS NULL ORDER BY started_at, id")
	return found, s.storeError(ctx, err, "read")
}

// list returns the rows of a query.
func list[T any](ctx context.Context, s *Store, scan func(pgx.Rows, *T) error, query string, args ...any) ([]T, error) {
	ctx, cancel := context.WithTimeout(ctx, reading)
	defer cancel()
	rows, err := s.pool.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return collect(rows, scan)
}

// collect reads all rows and closes them.
func collect[T any](rows pgx.Rows, scan func(pgx.Rows, *T) error) ([]T, error) {
	defer rows.Close()
	var found []T
	for rows.Next() {
		var item T
		if err := scan(rows, &item); err != nil {
			return nil, err
		}
		found = append(found, item)
	}
	return found, rows.Err()
}

// scanJSON reads a row whose last column is JSON.
func scanJSON(rows pgx.Rows, into any, others ...any) error {
	var body []byte
	if err := rows.Scan(append(others, &body)...); err != nil {
		return err
	}
	return json.Unmarshal(body, into)
}
