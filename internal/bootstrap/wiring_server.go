package bootstrap

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/identity"
	"github.com/sluice-cd/sluice/internal/postgres"
)

// Issuer implements [service.ServerSite].
func (w *Wiring) Issuer(ctx context.Context, of config.Workload) error {
	return identity.Reach(ctx, of)
}

// Database implements [service.ServerSite].
func (w *Wiring) Database(ctx context.Context, address string) (string, error) {
	return postgres.Reach(ctx, address)
}

// Key implements [service.ServerSite]. It changes nothing.
func (w *Wiring) Key(s config.Source) error {
	raw, err := w.dir.readKey(s)
	if err != nil {
		return err
	}
	kept, err := os.ReadFile(w.dir.Path("key"))
	if errors.Is(err, fs.ErrNotExist) || err == nil && bytes.Equal(kept, raw) {
		return nil
	}
	if err != nil {
		return sluice.Errorf(sluice.Denied, "the key of the state directory cannot be read: %w", err).
			WithHint("run this as the user of the server")
	}
	return w.dir.otherKey(s)
}
