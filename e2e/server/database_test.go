package server_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sluice-cd/sluice/internal/postgrestest"
)

// bridge is the address of this machine that the pods reach.
const bridge = "172.29.250.1"

// A database is a PostgreSQL on this machine.
type database struct {
	url   string // by which servers reach it, with a password
	admin string // by which the test reaches it
}

// newDatabase runs one, which is empty.
func newDatabase(t *testing.T) database {
	t.Helper()
	port := freePort(t)
	c, err := postgrestest.Start("listen_addresses="+bridge, "port="+port)
	if errors.Is(err, postgrestest.ErrAbsent) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	password := rand.Text()
	access := filepath.Join(c.Dir, "data", "pg_hba.conf")
	rules := []byte("local all all trust\nhost sluice team all scram-sha-256\n")
	if err := os.WriteFile(access, rules, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		"CREATE USER team PASSWORD '" + password + "'", "CREATE DATABASE sluice OWNER team", "SELECT pg_reload_conf()",
	} {
		if err := c.Execute(t.Context(), "postgres port="+port, statement); err != nil {
			t.Fatal(err)
		}
	}
	return database{
		url:   fmt.Sprintf("postgres://team:%s@%s:%s/sluice?sslmode=disable", password, bridge, port),
		admin: c.Address("sluice port=" + port),
	}
}

// freePort returns a port that nobody listens at.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", bridge+":0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err := errors.Join(err, l.Close()); err != nil {
		t.Fatal(err)
	}
	return port
}

// holders returns the sessions that hold the lease of a deployment: one of each server that runs some.
func (d database) holders(t *testing.T) (sessions []int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), d.admin)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := conn.Query(t.Context(),
		"SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1")
	if err == nil {
		sessions, err = pgx.CollectRows(rows, pgx.RowTo[int])
	}
	if err := errors.Join(err, conn.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	return sessions
}
