package postgres_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/postgres"
	"github.com/sluice-cd/sluice/internal/postgrestest"
)

// Three processes open an empty database at once.
func TestProcessesThatMakeOneStore(t *testing.T) {
	if address := os.Getenv(theAddress); address != "" {
		must(t, open(t, address).Close())
		say("opened")
		return
	}
	t.Parallel()
	address := database(t)
	var all []*process
	for range 3 {
		all = append(all, spawn(t, address))
	}
	for _, p := range all {
		if said := p.hear(t); said != "opened" {
			t.Error(said)
		}
	}
	if n := execute(t, address, "SELECT FROM sluice"); n != 1 {
		t.Errorf("the store has %d formats", n)
	}
	must(t, open(t, address).Close())
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		prepare func(t *testing.T, address string) string
		want    sluice.Code
	}{
		"a database of another program": {statement("CREATE TABLE cats (name text)"), sluice.Invalid},
		"a store of a newer version": {func(t *testing.T, address string) string {
			must(t, open(t, address).Close())
			return statement("UPDATE sluice SET format = 1000")(t, address)
		}, sluice.Unsupported},
		"a database that is not there": {func(_ *testing.T, address string) string { return address + "x" }, sluice.NotFound},
		"a server that is not there": {func(t *testing.T, address string) string {
			return "host=" + t.TempDir() + " user=sluice dbname=sluice"
		}, sluice.Unavailable},
		"a user who owns nothing": {func(t *testing.T, address string) string {
			execute(t, address, "CREATE ROLE guest LOGIN")
			t.Cleanup(func() { execute(t, address, "DROP ROLE guest") })
			return strings.Replace(address, "user=sluice", "user=guest", 1)
		}, sluice.Denied},
		"an encoding that cannot hold every text": {func(t *testing.T, address string) string {
			execute(t, address, "CREATE DATABASE narrow ENCODING LATIN1 TEMPLATE template0")
			t.Cleanup(func() { execute(t, address, "DROP DATABASE narrow") })
			return postgrestest.Shared(t).Address("narrow")
		}, sluice.Unsupported},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := postgres.Open(t.Context(), test.prepare(t, database(t)))
			if err == nil {
				must(t, s.Close())
			}
			wantError(t, err, test.want)
		})
	}
}

func statement(sql string) func(*testing.T, string) string {
	return func(t *testing.T, address string) string {
		execute(t, address, sql)
		return address
	}
}

const password = "hunter2correcthorse"

// No error shows the password, whether the address is right, wrong, or cannot be read.
func TestErrorsDoNotShowThePassword(t *testing.T) {
	t.Parallel()
	c := postgrestest.Shared(t)
	local := strings.ReplaceAll(c.Dir, "/", "%2F")
	for _, address := range []string{
		"host=" + c.Dir + " dbname=postgres user=locked password=" + password,
		"postgres://locked:" + password + "@" + local + "/postgres",
		"postgres://locked:" + password + "@127.0.0.1:1/postgres",
		"postgres://locked:" + password + "@127.0.0.1:x/postgres",
		"postgres://locked:" + password + "/1@127.0.0.1/postgres",
		"postgres://locked:" + password + "#1@127.0.0.1/postgres",
		"postgres://locked:1?" + password + "@127.0.0.1/postgres",
		"postgres://locked:1#" + password + "@127.0.0.1/postgres",
		"postgres://locked:%" + password + "@127.0.0.1/postgres",
		"postgres://locked:" + password + "@127.0.0.1/postgres?sslmode=odd",
		"postgres://locked@127.0.0.1:1/postgres?password=" + password,
		"user=locked password='" + password + " host=127.0.0.1",
		"user=locked password=\"a " + password + "\" host=127.0.0.1",
		"locked:" + password + "@127.0.0.1/postgres",
	} {
		_, err := postgres.Open(t.Context(), address)
		if err == nil {
			t.Fatalf("%s was opened", address)
		}
		if sluice.ErrorHint(err) == "" {
			t.Errorf("no hint: %v", err)
		}
		for e := err; e != nil; {
			if strings.Contains(e.Error()+sluice.ErrorHint(e), password) {
				t.Errorf("an error about %s shows the password: %v", address, e)
			}
			s, ok := e.(*sluice.Error)
			if !ok {
				t.Errorf("the cause is an error of the driver, %T", e)
				break
			}
			e = s.Err
		}
	}
	must(t, c.Execute(t.Context(), "postgres", "CREATE ROLE locked LOGIN PASSWORD '"+password+"'"))
	t.Cleanup(func() { must(t, c.Execute(context.Background(), "postgres", "DROP ROLE locked")) })
	_, err := postgres.Open(t.Context(), "host="+c.Dir+" dbname=postgres user=locked password=wrong"+password)
	wantError(t, err, sluice.Unauthenticated)
	if strings.Contains(err.Error(), password) {
		t.Errorf("the error shows the password: %v", err)
	}
}
