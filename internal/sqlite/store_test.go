package sqlite_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/sqlite"
	"github.com/sluice-cd/sluice/internal/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T, dir string) sluice.Store { return open(t, filepath.Join(dir, "sluice.db")) })
}

// open opens the store in the file.
func open(t *testing.T, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
