package postgres_test

import (
	"context"
	"os"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/postgres"
	"github.com/sluice-cd/sluice/internal/postgrestest"
	"github.com/sluice-cd/sluice/internal/storetest"
)

func TestMain(m *testing.M) { os.Exit(postgrestest.Main(m)) }

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T, dir string) sluice.Store {
		return open(t, postgrestest.Shared(t).Address(postgrestest.Database(t, dir)))
	})
}

// open opens the store in the database with the address.
func open(t testing.TB, address string) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(context.Background(), address)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
