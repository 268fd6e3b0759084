package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/numbered"
)

// Ordered files and one transaction need no library: the scripts and the number that says they ran come together or
// not at all. They only go forward. The servers of the version before may still run while a new one migrates, so a
// script MUST leave what they use.
//
//go:embed migrations/*.sql
var migrations embed.FS

// oldest is the first version of PostgreSQL whose settings end the sessions of stopped clients; see lease.go.
const oldest = 140000

// readMigrations returns the embedded scripts in their order.
func readMigrations() ([]numbered.Script, error) { return numbered.Read(migrations, "migrations") }

// migrate brings the schema up to date. A lock makes processes that start at the same time do it one after the other.
func (s *Store) migrate(ctx context.Context) error {
	list, err := readMigrations()
	if err != nil {
		return err
	}
	if err := s.checkServer(ctx); err != nil {
		return err
	}
	newest := list[len(list)-1].Number
	if version, err := s.format(ctx, s.pool, newest); err != nil || version == newest {
		return err
	}
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '5min'"); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1, $2)", ours, migrating); err != nil {
			return err
		}
		version, err := s.format(ctx, tx, newest)
		if err != nil {
			return err
		}
		for _, m := range list {
			if m.Number > version {
				err = errors.Join(err, run(ctx, tx, m))
			}
		}
		return err
	})
}

// run changes the schema and the number of its format.
func run(ctx context.Context, tx pgx.Tx, m numbered.Script) error {
	script := fmt.Sprintf("%s; DELETE FROM sluice; INSERT INTO sluice VALUES (%d)", m.Text, m.Number)
	if _, err := tx.Conn().PgConn().Exec(ctx, script).ReadAll(); err != nil {
		return fmt.Errorf("migrate to version %d: %w", m.Number, err)
	}
	return nil
}

// checkServer refuses servers on which the store would not keep its contract.
func (s *Store) checkServer(ctx context.Context) error {
	var version int
	var name, encoding string
	row := s.pool.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, current_setting('server_version'),
		current_setting('server_encoding')`)
	if err := row.Scan(&version, &name, &encoding); err != nil {
		return err
	}
	if version < oldest {
		return sluice.Errorf(sluice.Unsupported, "store %s: PostgreSQL %s is too old", s.name, name).
			WithHint("use PostgreSQL 14 or newer")
	}
	if encoding != "UTF8" {
		return sluice.Errorf(sluice.Unsupported, "store %s: the encoding of the database is %s", s.name, encoding).
			WithHint("create the database with: createdb --encoding=UTF8 --template=template0 NAME")
	}
	return nil
}

// A querier is a pool or a transaction.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// format returns the version of the schema, 0 if there is no table. A database that belongs to another program or to a
// newer Sluice is refused.
func (s *Store) format(ctx context.Context, q querier, newest int) (version int, err error) {
	var exists, others bool
	row := q.QueryRow(ctx, `SELECT to_regclass('sluice') IS NOT NULL,
		EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = current_schema())`)
	if err := row.Scan(&exists, &others); err != nil {
		return 0, err
	}
	switch {
	case exists:
		err = q.QueryRow(ctx, "SELECT format FROM sluice").Scan(&version)
	case others:
		err = sluice.Errorf(sluice.Invalid, "the database %s has tables of another program", s.name).
			WithHint("name an empty database for the store")
	}
	if version > newest {
		return 0, sluice.Errorf(sluice.Unsupported, "the store %s has format %d, and this version of Sluice knows formats "+
			"up to %d", s.name, version, newest).
			WithHint("use the version that wrote it or a newer one, or restore the database from before the upgrade")
	}
	return version, err
}
