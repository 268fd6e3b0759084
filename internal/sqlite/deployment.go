package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/appending"
)

// Listed implements [appending.Records].
func (b *batch) Listed(id sluice.DeploymentID) (application string, outcome sluice.Status, err error) {
	err = b.conn.QueryRowContext(context.Background(),
		"SELECT application, outcome FROM deployments WHERE id = ?", string(id)).Scan(&application, &outcome)
	return application, outcome, err
}

// Unended implements [appending.Records].
func (b *batch) Unended(application string, status sluice.Status) (id sluice.DeploymentID, err error) {
	err = b.conn.QueryRowContext(context.Background(),
		"SELECT id FROM deployments WHERE application = ? AND ended_at IS NULL AND outcome = ?",
		application, string(status)).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return id, err
}

// insertDeployment lists a new deployment, and returns its number.
func (b *batch) insertDeployment(d *sluice.Deployment) (number int64, err error) {
	result, err := b.conn.ExecContext(context.Background(),
		"INSERT INTO deployments (id, application, started_at, started_by, outcome) VALUES (?, ?, ?, ?, ?)",
		string(d.ID), d.Application, d.StartedAt.UnixNano(), d.StartedBy, string(d.Outcome))
	if err != nil {
		return 0, err
	}
	return result.LastInsertId()
}

// beginDeployment notes that a deployment runs from now on, which was queued or had ended.
func (b *batch) beginDeployment(number int64) error {
	_, err := b.conn.ExecContext(context.Background(),
		"UPDATE deployments SET ended_at = NULL, outcome = '' WHERE number = ?", number)
	return err
}

// endDeployment notes how and when a deployment ended.
func (b *batch) endDeployment(number int64, e *appending.End) error {
	_, err := b.conn.ExecContext(context.Background(), "UPDATE deployments SET ended_at = ?, outcome = ? WHERE number = ?",
		e.At.UnixNano(), string(e.Outcome), number)
	return err
}
