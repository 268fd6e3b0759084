package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/numbered"
)

// Ordered files and SQLite's own user_version need no library: a migration and the number that says it ran are one
// transaction. Libraries that keep their own table and support many databases do not offer that.
//
//go:embed migrations/*.sql
var migrations embed.FS

// applicationID marks the file as ours in its header: "Slce".
const applicationID = 0x536c6365

// readMigrations returns the embedded scripts in their order.
func readMigrations() ([]numbered.Script, error) { return numbered.Read(migrations, "migrations") }

// migrate brings the schema up to date, in one transaction: another process may be about to do the same.
func migrate(ctx context.Context, c *sql.Conn, path string) error {
	list, err := readMigrations()
	if err != nil {
		return err
	}
	if version, err := schemaVersion(ctx, c, path, list); err != nil || version == list[len(list)-1].Number {
		return err
	}
	if _, err := c.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	version, err := schemaVersion(ctx, c, path, list)
	for _, m := range list {
		if err != nil || m.Number <= version {
			continue
		}
		script := fmt.Sprintf("%s; PRAGMA application_id = %d; PRAGMA user_version = %d", m.Text, applicationID, m.Number)
		if _, err = c.ExecContext(ctx, script); err == nil && m.Number == sumsVersion {
			err = addSums(ctx, c)
		}
		if err != nil {
			err = fmt.Errorf("migrate %s to version %d: %w", path, m.Number, err)
		}
	}
	if err == nil {
		_, err = c.ExecContext(ctx, "COMMIT")
	}
	if err != nil {
		rollBack(c)
	}
	return err
}

// The versions since which events have checksums, since which there are tokens and an audit, and readers.
const (
	sumsVersion     = 3
	identityVersion = 5
	readersVersion  = 6
)

// addSums gives the rows of an earlier version their checksums.
func addSums(ctx context.Context, c *sql.Conn) error {
	if err := addEventSums(ctx, c); err != nil {
		return err
	}
	return addCheckpointSums(ctx, c)
}

func addCheckpointSums(ctx context.Context, c *sql.Conn) error {
	rows, err := c.QueryContext(ctx, "SELECT id, body FROM checkpoints")
	if err != nil {
		return err
	}
	sums := map[string]int64{}
	_, err = collect(rows, func(id *string) error {
		var body sql.RawBytes
		if err := rows.Scan(id, &body); err != nil {
			return err
		}
		sums[*id] = sum(0, 0, body)
		return nil
	})
	for id, sum := range sums {
		if err == nil {
			_, err = c.ExecContext(ctx, "UPDATE checkpoints SET sum = ? WHERE id = ?", sum, id)
		}
	}
	return err
}

// addEventSums reads one event at a time: a log may be large.
func addEventSums(ctx context.Context, c *sql.Conn) error {
	for position := int64(0); ; {
		var deployment int64
		var seq sluice.Seq
		var body []byte
		err := c.QueryRowContext(ctx, `SELECT position, deployment, seq, body FROM events
			WHERE position > ? ORDER BY position LIMIT 1`, position).Scan(&position, &deployment, &seq, &body)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		_, err = c.ExecContext(ctx, "UPDATE events SET sum = ? WHERE position = ?", sum(deployment, seq, body), position)
		if err != nil {
			return err
		}
	}
}

// schemaVersion returns the version of the file's schema, 0 if it is empty. A file that belongs to another program or
// to a newer Sluice is refused.
func schemaVersion(ctx context.Context, c *sql.Conn, path string, known []numbered.Script) (int, error) {
	var application, version, tables int
	row := c.QueryRowContext(ctx, `SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
		FROM pragma_application_id, pragma_user_version`)
	if err := row.Scan(&application, &version, &tables); err != nil {
		return 0, err
	}
	if application != applicationID && (application != 0 || version != 0 || tables > 0) {
		return 0, sluice.Errorf(sluice.Invalid, "%s is the database of another program", path).
			WithHint("name another path for the store")
	}
	if newest := known[len(known)-1].Number; version > newest {
		return 0, sluice.Errorf(sluice.Unsupported, "%s has format %d, and this version of Sluice knows formats up to %d",
			path, version, newest).
			WithHint("use the version that wrote it or a newer one, " +
				"or put back the copy of the state directory from before the upgrade")
	}
	return version, nil
}
