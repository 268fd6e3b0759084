package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"

	"github.com/sluice-cd/sluice"
)

// Append implements [sluice.Log]. An event without a time or a kind is Invalid: the store reads no clock.
func (s *Store) Append(ctx context.Context, id sluice.DeploymentID, after sluice.Seq, events ...sluice.Event) error {
	if len(events) == 0 {
		return nil
	}
	a, err := newAppending(id, after, events)
	if err != nil {
		return err
	}
	return s.change(ctx, a.apply)
}

// An appending is a call of Append, checked and encoded by its caller so that the writer has little left to do.
type appending struct {
	id      sluice.DeploymentID
	after   sluice.Seq
	bodies  []string
	first   *sluice.Event // the deployment's first event, if it is among them
	begins  bool          // an event starts the deployment, which was queued
	reopens bool          // the first event reopens the deployment, which had ended
	ended   *sluice.Event // the last event, if it ends the deployment
	letters []sluice.LetterID
}

// newAppending numbers and encodes the events, and refuses those that no log can hold.
func newAppending(id sluice.DeploymentID, after sluice.Seq, events []sluice.Event) (*appending, error) {
	if id == "" {
		return nil, sluice.Errorf(sluice.Invalid, "an event has to belong to a deployment")
	}
	a := &appending{id: id, after: after, bodies: make([]string, len(events))}
	for i, e := range events {
		e.Seq = after + sluice.Seq(i) + 1
		if err := a.place(e, i == len(events)-1); err != nil {
			return nil, err
		}
		body, err := json.Marshal(e)
		if err != nil {
			return nil, sluice.Errorf(sluice.Invalid, "event %d of deployment %s cannot be written as JSON: %w", e.Seq, id, err)
		}
		a.bodies[i] = string(body)
	}
	return a, nil
}

// place checks that an event may have its place in the log.
func (a *appending) place(e sluice.Event, last bool) error {
	if e.At.IsZero() || e.Kind == "" {
		return sluice.Errorf(sluice.Invalid, "event %d of deployment %s has no time or no kind", e.Seq, a.id)
	}
	first, starts := e.Seq == 1, e.Kind == sluice.DeploymentStarted
	switch {
	case first != (e.Kind == sluice.DeploymentQueued || starts && (first || e.Plan != nil)):
		return sluice.Errorf(sluice.Invalid, "event %d of deployment %s is %s: the first event, and no other, is %s or %s",
			e.Seq, a.id, e.Kind, sluice.DeploymentQueued, sluice.DeploymentStarted)
	case first && e.Plan == nil:
		return sluice.Errorf(sluice.Invalid, "deployment %s starts without a plan", a.id)
	case e.Kind == sluice.DeploymentReopened && e.Seq != a.after+1:
		return sluice.Errorf(sluice.Invalid, "event %d of deployment %s is %s, but others come with it before",
			e.Seq, a.id, e.Kind)
	case e.Kind == sluice.DeploymentEnded && !last:
		return sluice.Errorf(sluice.Invalid, "event %d of deployment %s is %s, but more follow", e.Seq, a.id, e.Kind)
	}
	if slices.Contains(a.letters, e.Letter) {
		return settledError(e.Letter, a.id)
	}
	if e.Letter != 0 {
		a.letters = append(a.letters, e.Letter)
	}
	if first {
		a.first = &e
	}
	a.begins = a.begins || starts && !first
	a.reopens = a.reopens || e.Kind == sluice.DeploymentReopened
	if e.Kind == sluice.DeploymentEnded {
		a.ended = &e
	}
	return nil
}

// apply adds the events to a transaction, or refuses them.
func (a *appending) apply(b *batch) error {
	h, err := b.head(a.id, a.after)
	if err != nil {
		return err
	}
	if err := a.fits(h); err != nil {
		return err
	}
	if a.begins {
		if err := b.mayBegin(a.id, h.number); err != nil {
			return err
		}
	}
	if a.reopens {
		if err := b.mayReopen(h.number); err != nil {
			return err
		}
	}
	if err := a.settle(b, h.number); err != nil {
		return err
	}
	if h.number, err = a.list(b, h.number); err != nil {
		return err
	}
	for i, body := range a.bodies {
		b.addEvent(h.number, a.after+sluice.Seq(i)+1, body)
	}
	b.touch(events)
	b.heads[a.id] = head{number: h.number, seq: a.after + sluice.Seq(len(a.bodies)), ended: a.ended != nil}
	return nil
}

// list changes what lists show of the deployment, and returns its number.
func (a *appending) list(b *batch, number int64) (int64, error) {
	if a.first != nil {
		inserted, err := b.insertDeployment(a.id, a.first)
		if err != nil {
			return 0, err
		}
		number = inserted
	}
	if a.begins || a.reopens {
		if err := b.beginDeployment(number); err != nil {
			return 0, err
		}
	}
	if a.ended != nil {
		return number, b.endDeployment(number, a.ended)
	}
	return number, nil
}

// fits refuses events that do not follow the log's last one.
func (a *appending) fits(h head) error {
	switch {
	case h.ended && !a.reopens:
		return endedError(a.id)
	case h.seq == 0 && a.after != 0:
		return unknownError(a.id)
	case h.seq != a.after:
		return sluice.Errorf(sluice.Conflict, "deployment %s has %d events, so events after number %d cannot be added",
			a.id, h.seq, a.after)
	case a.reopens && !h.ended:
		return sluice.Errorf(sluice.Conflict, "deployment %s has not ended", a.id)
	}
	return nil
}

// settle marks the letters that the events record. All are looked at before the first one is changed, because a refusal
// has to leave the transaction as it is.
func (a *appending) settle(b *batch, number int64) error {
	ctx := context.Background()
	for _, letter := range a.letters {
		var open bool
		row := b.conn.QueryRowContext(ctx,
			"SELECT EXISTS (SELECT 1 FROM letters WHERE number = ? AND deployment = ? AND settled = 0)",
			int64(letter), number)
		if err := row.Scan(&open); err != nil {
			return err
		}
		if !open {
			return settledError(letter, a.id)
		}
	}
	for _, letter := range a.letters {
		if _, err := b.conn.ExecContext(ctx, "UPDATE letters SET settled = 1 WHERE number = ?", int64(letter)); err != nil {
			return err
		}
		b.touch(topic(letter))
	}
	return nil
}

func settledError(letter sluice.LetterID, id sluice.DeploymentID) error {
	return sluice.Errorf(sluice.Conflict, "letter %d to deployment %s is settled already", letter, id)
}

func endedError(id sluice.DeploymentID) error {
	return sluice.Errorf(sluice.Conflict, "deployment %s has ended", id)
}

func unknownError(id sluice.DeploymentID) error {
	return sluice.Errorf(sluice.NotFound, "there is no deployment %s", id).WithHint("list them with: sluice status")
}

// anySeq is for callers of head that accept whatever another process has appended meanwhile.
const anySeq sluice.Seq = -1

// head returns where the deployment's log ends in this transaction; the zero head if it does not exist. What the writer
// remembers is good as long as it is what the caller expects: another process may have appended since.
func (b *batch) head(id sluice.DeploymentID, expected sluice.Seq) (head, error) {
	if h, ok := b.heads[id]; ok {
		return h, nil
	}
	if h, ok := b.known[id]; ok && h.seq == expected {
		return h, nil
	}
	var h head
	row := b.conn.QueryRowContext(context.Background(), `SELECT number, ended_at IS NOT NULL,
		(SELECT max(seq) FROM events WHERE deployment = number) FROM deployments WHERE id = ?`, string(id))
	if err := row.Scan(&h.number, &h.ended, &h.seq); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return head{}, err
	}
	return h, nil
}

// change hands a change to the writer and returns when it is durable.
func (s *Store) change(ctx context.Context, apply func(*batch) error) error {
	if s.writer == nil {
		return s.readOnlyError()
	}
	return s.writer.do(ctx, apply)
}

// readOnlyError is what every change of a store that was opened for reading gets.
func (s *Store) readOnlyError() error {
	return sluice.Errorf(sluice.Denied, "the store %s was opened for reading only", s.path)
}
