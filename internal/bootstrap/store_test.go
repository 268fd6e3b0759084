package bootstrap

import (
	"context"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/secret"
	"github.com/sluice-cd/sluice/internal/storetest"
)

// TestRedactedStore: what a state directory opens keeps the contracts of a store.
func TestRedactedStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T, path string) sluice.Store {
		dir, err := OpenState(path, new(secret.Redactor))
		if err != nil {
			t.Fatal(err)
		}
		store, err := dir.open(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		return store
	})
}
