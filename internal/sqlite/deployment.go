package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"github.com/sluice-cd/sluice"
)

// insertDeployment lists a deployment that starts or is queued, and returns its number.
func (b *batch) insertDeployment(id sluice.DeploymentID, e *sluice.Event) (number int64, err error) {
	outcome := sluice.Status("")
	if e.Kind == sluice.DeploymentQueued {
		outcome = sluice.StatusQueued
		err = b.overtake(id, e)
	} else {
		err = b.mustBeFree(e.Plan.Application)
	}
	if err != nil {
		return 0, err
	}
	var by string
	if e.Actor != nil {
		by = e.Actor.Name
	}
	result, err := b.conn.ExecContext(context.Background(),
		"INSERT INTO deployments (id, application, started_at, started_by, outcome) VALUES (?, ?, ?, ?, ?)",
		string(id), e.Plan.Application, e.At.UnixNano(), by, string(outcome))
	if err != nil {
		return 0, err
	}
	return result.LastInsertId()
}

// mustBeFree refuses to start a new deployment while another one of its application runs or is queued.
func (b *batch) mustBeFree(application string) error {
	other, found, err := b.unended(application, "")
	if found {
		return runningError(application, other)
	}
	if err != nil {
		return err
	}
	other, found, err = b.unended(application, sluice.StatusQueued)
	if found {
		return sluice.Errorf(sluice.Conflict, "deployment %s of %s is queued and comes first", other, application).
			WithHint("wait for it, or end it with: sluice cancel %s", other)
	}
	return err
}

func runningError(application string, other sluice.DeploymentID) error {
	return sluice.Errorf(sluice.Conflict, "application %s is being deployed by %s", application, other).
		WithHint("wait for it, or end it with: sluice cancel %s; if it was interrupted: sluice run --resume", other)
}

// unended returns the application's deployment that is queued, or with an empty status the one that runs.
func (b *batch) unended(application string, status sluice.Status) (id sluice.DeploymentID, found bool, err error) {
	err = b.conn.QueryRowContext(context.Background(),
		"SELECT id FROM deployments WHERE application = ? AND ended_at IS NULL AND outcome = ?",
		application, string(status)).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return id, err == nil, err
}

// overtake ends the application's deployment that was queued before.
func (b *batch) overtake(by sluice.DeploymentID, e *sluice.Event) error {
	id, found, err := b.unended(e.Plan.Application, sluice.StatusQueued)
	if err != nil || !found {
		return err
	}
	h, err := b.head(id, anySeq)
	if err != nil {
		return err
	}
	end := sluice.Event{
		Seq: h.seq + 1, At: e.At, Kind: sluice.DeploymentEnded, Outcome: sluice.StatusOvertaken, OvertakenBy: by,
	}
	body, err := json.Marshal(end)
	if err != nil {
		return err
	}
	b.addEvent(h.number, end.Seq, string(body))
	b.heads[id] = head{number: h.number, seq: end.Seq, ended: true}
	return b.endDeployment(h.number, &end)
}

// mayBegin refuses to start a deployment that is not queued, or while another one of its application runs.
func (b *batch) mayBegin(id sluice.DeploymentID, number int64) error {
	var application, outcome string
	row := b.conn.QueryRowContext(context.Background(),
		"SELECT application, outcome FROM deployments WHERE number = ?", number)
	if err := row.Scan(&application, &outcome); err != nil {
		return err
	}
	if outcome != string(sluice.StatusQueued) {
		return sluice.Errorf(sluice.Conflict, "deployment %s is not queued", id)
	}
	other, found, err := b.unended(application, "")
	if found {
		return runningError(application, other)
	}
	return err
}

// mayReopen refuses to reopen a deployment while another one of its application runs or is queued.
func (b *batch) mayReopen(number int64) error {
	var application string
	row := b.conn.QueryRowContext(context.Background(), "SELECT application FROM deployments WHERE number = ?", number)
	if err := row.Scan(&application); err != nil {
		return err
	}
	return b.mustBeFree(application)
}

// beginDeployment notes that a deployment runs from now on, which was queued or had ended.
func (b *batch) beginDeployment(number int64) error {
	_, err := b.conn.ExecContext(context.Background(),
		"UPDATE deployments SET ended_at = NULL, outcome = '' WHERE number = ?", number)
	return err
}

// endDeployment notes how and when a deployment ended.
func (b *batch) endDeployment(number int64, e *sluice.Event) error {
	_, err := b.conn.ExecContext(context.Background(), "UPDATE deployments SET ended_at = ?, outcome = ? WHERE number = ?",
		e.At.UnixNano(), string(e.Outcome), number)
	return err
}
