package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/appending"
)

// Append implements [sluice.Log]. An event without a time or a kind is Invalid: the store reads no clock.
func (s *Store) Append(ctx context.Context, id sluice.DeploymentID, after sluice.Seq, events ...sluice.Event) error {
	if len(events) == 0 {
		return nil
	}
	call, err := appending.New(id, after, events)
	if err != nil {
		return err
	}
	return s.change(ctx, func(b *batch) error {
		c, err := call.Decide(b)
		if err != nil {
			return err
		}
		return b.apply(c)
	})
}

// apply adds a change to the transaction.
func (b *batch) apply(c *appending.Change) error {
	if err := b.overtake(c.Overtaken); err != nil {
		return err
	}
	number, err := b.list(c)
	if err != nil {
		return err
	}
	if err := b.settle(c.Letters); err != nil {
		return err
	}
	for i, body := range c.Bodies {
		b.addEvent(number, c.After+sluice.Seq(i)+1, body)
	}
	b.touch(events)
	b.heads[c.ID] = head{number: number, Head: appending.Head{Seq: c.Last(), Ended: c.Ends != nil}}
	return nil
}

// overtake ends the deployment that was queued before, if there is one.
func (b *batch) overtake(o *appending.Overtaken) error {
	if o == nil {
		return nil
	}
	h, err := b.head(o.ID, appending.AnySeq)
	if err != nil {
		return err
	}
	b.addEvent(h.number, o.Seq, o.Body)
	b.heads[o.ID] = head{number: h.number, Head: appending.Head{Seq: o.Seq, Ended: true}}
	return b.endDeployment(h.number, &o.End)
}

// list changes what lists show of the deployment, and returns its number.
func (b *batch) list(c *appending.Change) (number int64, err error) {
	if c.Lists != nil {
		number, err = b.insertDeployment(c.Lists)
	} else {
		var h head
		h, err = b.head(c.ID, c.After)
		number = h.number
	}
	if err == nil && c.Begins {
		err = b.beginDeployment(number)
	}
	if err == nil && c.Ends != nil {
		err = b.endDeployment(number, c.Ends)
	}
	return number, err
}

// IsOpen implements [appending.Records].
func (b *batch) IsOpen(letter sluice.LetterID, id sluice.DeploymentID) (open bool, err error) {
	h, err := b.head(id, appending.AnySeq)
	if err != nil {
		return false, err
	}
	err = b.conn.QueryRowContext(context.Background(),
		"SELECT EXISTS (SELECT 1 FROM letters WHERE number = ? AND deployment = ? AND settled = 0)",
		int64(letter), h.number).Scan(&open)
	return open, err
}

// settle marks letters that events record.
func (b *batch) settle(letters []sluice.LetterID) error {
	for _, letter := range letters {
		_, err := b.conn.ExecContext(context.Background(), "UPDATE letters SET settled = 1 WHERE number = ?", int64(letter))
		if err != nil {
			return err
		}
		b.touch(topic(letter))
	}
	return nil
}

// Head implements [appending.Records].
func (b *batch) Head(id sluice.DeploymentID, expected sluice.Seq) (appending.Head, error) {
	h, err := b.head(id, expected)
	return h.Head, err
}

// head returns where the deployment's log ends in this transaction; the zero head if it does not exist. What the writer
// remembers is good as long as it is what the caller expects: another process may have appended since.
func (b *batch) head(id sluice.DeploymentID, expected sluice.Seq) (head, error) {
	if h, ok := b.heads[id]; ok {
		return h, nil
	}
	if h, ok := b.known[id]; ok && h.Seq == expected {
		return h, nil
	}
	var h head
	row := b.conn.QueryRowContext(context.Background(), `SELECT number, ended_at IS NOT NULL,
		(SELECT max(seq) FROM events WHERE deployment = number) FROM deployments WHERE id = ?`, string(id))
	err := row.Scan(&h.number, &h.Ended, &h.Seq)
	if errors.Is(err, sql.ErrNoRows) {
		return head{}, nil
	}
	if err == nil {
		b.heads[id] = h
	}
	return h, err
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
