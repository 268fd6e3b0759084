package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/sluice-cd/sluice"
)

// sum returns the checksum of a body: XXH3 with 64 bits, seeded with the place of an event in its log. SQLite finds
// damage of its own structures, but not of what they hold.
func sum(deployment int64, seq sluice.Seq, body []byte) int64 {
	return int64(xxh3.HashSeed(body, uint64(deployment)<<32^uint64(seq)))
}

// verifiedAtOnce is the size of a store that is verified as a whole when it is opened; recent is how many events are
// verified in a larger one. Other events are verified when they are read.
const (
	verifiedAtOnce = 4 << 20
	recent         = 1000
)

// Verify reads the whole store. Invalid: something in it is not as it was written, or its latest events are missing.
func (s *Store) Verify(ctx context.Context) error {
	return storeError(s.verify(ctx, -1), "verify", s.path)
}

// verifyOpened is the part of Verify that opening can afford.
func (s *Store) verifyOpened(ctx context.Context) error {
	info, err := os.Stat(s.path)
	if err != nil {
		return err
	}
	if info.Size() <= verifiedAtOnce {
		return s.verify(ctx, -1)
	}
	return s.verify(ctx, recent)
}

// verify verifies the latest events, or the whole store if latest is negative.
func (s *Store) verify(ctx context.Context, latest int) error {
	if err := s.verifyEnd(ctx); err != nil {
		return err
	}
	if latest < 0 {
		if err := s.verifyStructure(ctx); err != nil {
			return err
		}
	}
	if err := s.verifyEvents(ctx, latest); err != nil {
		return err
	}
	if err := s.verifyAudit(ctx, latest); err != nil {
		return err
	}
	if _, err := s.Checkpoints(ctx, ""); err != nil {
		return err
	}
	_, err := s.Tokens(ctx)
	return err
}

// verifyEnd looks for the event that was committed last. A log that lost its end looks sound otherwise: SQLite takes a
// write-ahead log that was cut off, or deleted, for one that never was longer.
func (s *Store) verifyEnd(ctx context.Context) error {
	marked := s.peers.mark() // first: it never says more than is committed by now
	var last int64
	if err := s.read.QueryRowContext(ctx, "SELECT coalesce(max(position), 0) FROM events").Scan(&last); err != nil {
		return err
	}
	return missing(s.path, last, marked)
}

// lost returns the error of a store whose file is absent although events were written to it.
func lost(path string, absent error) error {
	if !errors.Is(absent, fs.ErrNotExist) {
		return nil
	}
	p, err := openPeers(path, os.O_RDONLY)
	if err != nil {
		return nil
	}
	defer p.close()
	return missing(path, 0, p.mark())
}

// missing returns the error of a store that has fewer events than were written, nil if none is missing.
func missing(path string, last, marked int64) error {
	if last >= marked {
		return nil
	}
	return sluice.Errorf(sluice.Invalid, "the store %s lost its latest events: it has %d, and %d were written",
		path, last, marked).
		WithHint("put %s and %[1]s-wal back as they were; to go on without these events, delete %[1]s-peers", path)
}

// verifyStructure lets SQLite compare its pages and indexes, then compares the list of deployments with their logs.
func (s *Store) verifyStructure(ctx context.Context) error {
	var found string
	if err := s.read.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&found); err != nil {
		return err
	}
	if found != "ok" {
		return damageError(s.path, found)
	}
	rows, err := s.read.QueryContext(ctx, `SELECT d.id, d.ended_at, d.started_by IS coalesce(f.body ->> '$.actor.name', '')
			AND d.application IS f.body ->> '$.plan.application' AND (d.outcome IS coalesce(l.body ->> '$.outcome', '')
				OR d.outcome = 'queued' AND d.ended_at IS NULL AND f.body ->> '$.kind' = 'deploymentQueued'),
			CASE WHEN l.body ->> '$.kind' = 'deploymentEnded' THEN l.body ->> '$.at' END
		FROM deployments d
		LEFT JOIN events f ON f.deployment = d.number AND f.seq = 1
		LEFT JOIN events l ON l.deployment = d.number AND l.seq = (SELECT max(seq) FROM events WHERE deployment = d.number)`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var listed sql.NullInt64
		var same bool
		var logged sql.NullString
		if err := rows.Scan(&id, &listed, &same, &logged); err != nil {
			return err
		}
		at, err := time.Parse(time.RFC3339Nano, logged.String)
		if !same || listed.Valid != logged.Valid || listed.Valid && (err != nil || at.UnixNano() != listed.Int64) {
			return damageError(s.path, fmt.Sprintf("the list does not show deployment %q as its log does", id))
		}
	}
	return rows.Err()
}

// verifyEvents compares events with their checksums, and looks for gaps.
func (s *Store) verifyEvents(ctx context.Context, latest int) error {
	rows, err := s.read.QueryContext(ctx, "SELECT deployment, seq, body, "+s.sumColumn()+
		" FROM events ORDER BY position DESC LIMIT ?", latest)
	if err != nil {
		return err
	}
	defer rows.Close()
	next := map[int64]sluice.Seq{} // of the event that was written after those that are still to come
	for rows.Next() {
		var deployment int64
		var seq sluice.Seq
		var body sql.RawBytes
		var want sql.NullInt64
		if err := rows.Scan(&deployment, &seq, &body, &want); err != nil {
			return err
		}
		if err := verifyEvent(s.path, deployment, seq, body, want); err != nil {
			return err
		}
		if after, ok := next[deployment]; ok && after != seq+1 {
			return damageError(s.path, fmt.Sprintf("events between %d and %d of a deployment are missing", seq, after))
		}
		next[deployment] = seq
	}
	return rows.Err()
}

// sumColumn names the column of the checksums; the store of an earlier version, opened for reading, has none.
func (s *Store) sumColumn() string {
	if s.hasSums {
		return "sum"
	}
	return "NULL"
}

// verifyEvent compares an event with its checksum, if there is one.
func verifyEvent(path string, deployment int64, seq sluice.Seq, body []byte, want sql.NullInt64) error {
	if !want.Valid || want.Int64 == sum(deployment, seq, body) {
		return nil
	}
	return damageError(path, fmt.Sprintf("event %d of a deployment is not as it was written", seq))
}

func damageError(path, what string) error {
	return sluice.Errorf(sluice.Invalid, "the store %s is damaged: %s", path, what).WithHint("%s", corruptHint)
}
