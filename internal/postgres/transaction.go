package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/appending"
)

// Advisory locks with two numbers are the store's own, those with one are leases. Transactions lock appending before
// they read anything.
const (
	ours      = 0x536c6365 // "Slce"
	appends   = 1
	migrating = 2
)

// An ask is what writes need to know before they can be decided.
type ask struct {
	deployments  []string
	applications []string // of new deployments
	competes     bool     // the other deployments of the applications count
	letters      []int64
	doubts       []*appending.Call
}

func (a *ask) add(other ask) {
	a.deployments = append(a.deployments, other.deployments...)
	a.applications = append(a.applications, other.applications...)
	a.competes = a.competes || other.competes
	a.letters = append(a.letters, other.letters...)
	a.doubts = append(a.doubts, other.doubts...)
}

// A transaction holds the append lock. It has read what its writes asked for, and collects what they change.
//
// The lock makes the feed one for everybody. PostgreSQL lets transactions commit in any order, so a position drawn
// earlier could become visible after a higher one, and a follower that has passed it would never see it. Here a
// transaction draws its positions when it has the lock, and the server frees the lock after the commit is visible: the
// next one sees the highest position and draws higher ones, without gaps. READ COMMITTED, because each statement after
// the lock has to see what was committed while the transaction waited for it. The same lock keeps letters in the order
// in which they were sent, which Arrivals relies on.
type transaction struct {
	deployments map[sluice.DeploymentID]*deployment
	letters     map[sluice.LetterID]*letter
	stored      map[*appending.Call][]string // what the log has in place of the doubted
	last        int64                        // position

	statements pgx.Batch
	added      struct {
		positions, seqs     []int64
		deployments, bodies []string
	}
	topics []topic
}

// A deployment that does not exist has the zero head. Its token is 0 if it was never leased.
type deployment struct {
	application string
	outcome     sluice.Status
	head        appending.Head
	token       int64
}

type letter struct {
	deployment sluice.DeploymentID
	settled    bool
}

// begin takes the append lock and reads what is asked for, in one round trip.
func begin(ctx context.Context, c *pgx.Conn, a *ask) (*transaction, error) {
	t := &transaction{deployments: map[sluice.DeploymentID]*deployment{}, letters: map[sluice.LetterID]*letter{},
		stored: map[*appending.Call][]string{}}
	b := &pgx.Batch{}
	b.Queue("BEGIN ISOLATION LEVEL READ COMMITTED")
	b.Queue("SELECT pg_advisory_xact_lock($1, $2)", ours, appends)
	b.Queue("SELECT coalesce(max(position), 0) FROM events").
		QueryRow(func(row pgx.Row) error { return row.Scan(&t.last) })
	b.Queue(`SELECT n.id, coalesce(d.application, ''), coalesce(d.outcome, ''), d.ended_at IS NOT NULL,
			coalesce((SELECT max(seq) FROM events e WHERE e.deployment = d.id), 0), coalesce(l.token, 0)
		FROM unnest($1::text[]) AS n(id) LEFT JOIN deployments d ON d.id = n.id
		LEFT JOIN leases l ON l.deployment = n.id`, a.deployments).Query(t.readDeployments)
	if a.competes {
		b.Queue(`SELECT id, application, outcome, false, (SELECT max(seq) FROM events e WHERE e.deployment = d.id),
				coalesce((SELECT token FROM leases l WHERE l.deployment = d.id), 0)
			FROM deployments d WHERE ended_at IS NULL AND application IN (SELECT unnest($1::text[])
				UNION ALL SELECT application FROM deployments WHERE id = ANY ($2::text[]))`,
			a.applications, a.deployments).Query(t.readDeployments)
	}
	if len(a.letters) > 0 {
		b.Queue("SELECT number, deployment, settled FROM letters WHERE number = ANY ($1::bigint[])", a.letters).
			Query(t.readLetters)
	}
	for _, call := range a.doubts {
		b.Queue("SELECT body FROM events WHERE deployment = $1 AND seq > $2 AND seq <= $3 ORDER BY seq",
			call.ID, call.After, call.Last()).Query(func(rows pgx.Rows) (err error) {
			t.stored[call], err = pgx.CollectRows(rows, pgx.RowTo[string])
			return err
		})
	}
	return t, c.SendBatch(ctx, b).Close()
}

func (t *transaction) readDeployments(rows pgx.Rows) error {
	var id sluice.DeploymentID
	var d deployment
	_, err := pgx.ForEachRow(rows, []any{&id, &d.application, &d.outcome, &d.head.Ended, &d.head.Seq, &d.token},
		func() error {
			found := d
			t.deployments[id] = &found
			return nil
		})
	return err
}

func (t *transaction) readLetters(rows pgx.Rows) error {
	var id sluice.LetterID
	var l letter
	_, err := pgx.ForEachRow(rows, []any{&id, &l.deployment, &l.settled}, func() error {
		found := l
		t.letters[id] = &found
		return nil
	})
	return err
}

// Head implements [appending.Records].
func (t *transaction) Head(id sluice.DeploymentID, _ sluice.Seq) (appending.Head, error) {
	return t.deployments[id].head, nil
}

// Listed implements [appending.Records].
func (t *transaction) Listed(id sluice.DeploymentID) (string, sluice.Status, error) {
	d := t.deployments[id]
	return d.application, d.outcome, nil
}

// Unended implements [appending.Records].
func (t *transaction) Unended(application string, status sluice.Status) (sluice.DeploymentID, error) {
	for id, d := range t.deployments {
		if d.head.Seq > 0 && !d.head.Ended && d.application == application && d.outcome == status {
			return id, nil
		}
	}
	return "", nil
}

// IsOpen implements [appending.Records].
func (t *transaction) IsOpen(id sluice.LetterID, to sluice.DeploymentID) (bool, error) {
	l := t.letters[id]
	return l != nil && l.deployment == to && !l.settled, nil
}

// apply adds a change: what the writes after this one see, and what is written.
func (t *transaction) apply(c *appending.Change) {
	if o := c.Overtaken; o != nil {
		t.end(&o.End)
		t.add(o.ID, o.Seq, o.Body)
	}
	if d := c.Lists; d != nil {
		known := t.deployments[d.ID]
		known.application, known.outcome = d.Application, d.Outcome
		t.statements.Queue(`INSERT INTO deployments (id, application, started_at, started_by, outcome)
			VALUES ($1, $2, $3, $4, $5)`, d.ID, d.Application, d.StartedAt.UnixNano(), d.StartedBy, d.Outcome)
	}
	if c.Begins {
		known := t.deployments[c.ID]
		known.outcome, known.head.Ended = "", false
		t.statements.Queue("UPDATE deployments SET ended_at = NULL, outcome = '' WHERE id = $1", c.ID)
	}
	for i, body := range c.Bodies {
		t.add(c.ID, c.After+sluice.Seq(i)+1, body)
	}
	if c.Ends != nil {
		t.end(c.Ends)
	}
	for _, id := range c.Letters {
		t.settle(id, nil)
	}
}

func (t *transaction) end(e *appending.End) {
	d := t.deployments[e.ID]
	d.outcome, d.head.Ended = e.Outcome, true
	t.statements.Queue("UPDATE deployments SET ended_at = $2, outcome = $3 WHERE id = $1",
		e.ID, e.At.UnixNano(), e.Outcome)
}

// add draws the next position for an event.
func (t *transaction) add(id sluice.DeploymentID, seq sluice.Seq, body string) {
	t.last++
	t.added.positions = append(t.added.positions, t.last)
	t.added.deployments = append(t.added.deployments, string(id))
	t.added.seqs = append(t.added.seqs, int64(seq))
	t.added.bodies = append(t.added.bodies, body)
	t.deployments[id].head.Seq = seq
	t.topics = append(t.topics, events)
}

// settle settles a letter, with a refusal or by an event.
func (t *transaction) settle(id sluice.LetterID, refusal *string) {
	t.letters[id].settled = true
	t.statements.Queue("UPDATE letters SET settled = true, refusal = $2 WHERE number = $1", id, refusal)
	t.topics = append(t.topics, topic(id))
}

// commit writes everything, tells others and commits, in one round trip.
func (t *transaction) commit(ctx context.Context, c *pgx.Conn) error {
	if len(t.topics) == 0 {
		_, err := c.Exec(ctx, "ROLLBACK")
		return err
	}
	if len(t.added.positions) > 0 {
		t.statements.Queue(`INSERT INTO events (position, deployment, seq, body)
			SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[])`,
			t.added.positions, t.added.deployments, t.added.seqs, t.added.bodies)
	}
	t.statements.Queue("SELECT pg_notify($1, $2)", channel, encode(t.topics))
	t.statements.Queue("COMMIT")
	return c.SendBatch(ctx, &t.statements).Close()
}
