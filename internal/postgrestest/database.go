package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// inherited is the environment variable by which a re-executed test binary finds the cluster of the first one.
const inherited = "POSTGRESTEST_DIR"

var (
	own     *Cluster // nil until it is needed, and in a re-executed test binary
	running = sync.OnceValues(func() (*Cluster, error) {
		if dir := os.Getenv(inherited); dir != "" {
			return &Cluster{Dir: dir}, nil
		}
		c, err := Start()
		if err != nil {
			return nil, err
		}
		own = c
		return c, os.Setenv(inherited, c.Dir)
	})
)

// Main runs the tests of a package and ends the cluster that they used. TestMain calls it and exits with the result.
func Main(m *testing.M) int {
	code := m.Run()
	if own == nil {
		return code
	}
	if err := own.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// Shared returns the cluster of this test binary, and skips the test if none is installed. A test MUST NOT take it
// down.
func Shared(t testing.TB) *Cluster {
	t.Helper()
	c, err := running()
	if errors.Is(err, ErrAbsent) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// New runs a cluster for one test.
func New(t testing.TB, settings ...string) *Cluster {
	t.Helper()
	c, err := Start(settings...)
	if errors.Is(err, ErrAbsent) {
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
	return c
}

var creating sync.Mutex

// Database returns the name of the database that belongs to the directory, in the shared cluster. It makes an empty one
// if there is none, also for another process, and drops it when the test ends that asked first.
func Database(t testing.TB, dir string) string {
	t.Helper()
	c := Shared(t)
	h := fnv.New64a()
	_, _ = h.Write([]byte(dir)) // never fails
	name := fmt.Sprintf("t%x", h.Sum64())
	creating.Lock()
	defer creating.Unlock()
	err := c.Execute(context.Background(), "postgres", "CREATE DATABASE "+name+" STRATEGY file_copy")
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == "42P04" {
		return name // it exists
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Execute(context.Background(), "postgres", "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	return name
}
