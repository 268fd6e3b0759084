package main

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"

	"modernc.org/sqlite"
)

// FerretDB looks up a document by the expression below, but indexes another spelling of it, which SQLite does not
// recognise. Without this index every look-up would read the whole collection.
const keyExpression = `_ferretdb_sjson->'$._id'`

func init() { sqlite.RegisterConnectionHook(indexKeys) }

// indexKeys creates the missing indexes on the keys of all collections, whenever a connection is opened. If a writer
// prevents that, the next connection does it.
func indexKeys(conn sqlite.ExecQuerierContext, _ string) error {
	tables, err := unindexed(conn)
	if err != nil {
		return nil // the database is new: there are no collections yet
	}
	for _, table := range tables {
		statement := fmt.Sprintf("CREATE INDEX IF NOT EXISTS %q ON %q (%s)", table+"_by_key", table, keyExpression)
		if _, err := conn.ExecContext(context.Background(), statement, nil); err != nil {
			return nil
		}
	}
	return nil
}

// unindexed names the collections' tables without the index.
func unindexed(conn sqlite.ExecQuerierContext) (tables []string, err error) {
	rows, err := conn.QueryContext(context.Background(),
		`SELECT table_name FROM _ferretdb_collections WHERE NOT EXISTS
		(SELECT 1 FROM sqlite_schema WHERE type = 'index' AND name = table_name || '_by_key')`, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for {
		row := make([]driver.Value, 1)
		switch err := rows.Next(row); {
		case errors.Is(err, io.EOF):
			return tables, nil
		case err != nil:
			return nil, err
		}
		table, ok := row[0].(string)
		if ok && !strings.Contains(table, `"`) {
			tables = append(tables, table)
		}
	}
}
