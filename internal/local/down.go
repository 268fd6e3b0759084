package local

import (
	"context"
	"path/filepath"

	"github.com/gofrs/flock"
)

// awaitEnd returns when the agent has let go of its directory.
func (a *Account) awaitEnd(ctx context.Context) error {
	a.client.CloseIdleConnections()
	lock := flock.New(filepath.Join(a.config.Dir, "agent.lock"), flock.SetPermissions(0o600))
	got := make(chan error, 1)
	go func() { got <- lock.Lock() }()
	select {
	case err := <-got:
		if err != nil {
			return err
		}
		return lock.Unlock()
	case <-ctx.Done():
		go func() { // let go again of what nobody waits for any more
			if <-got == nil {
				_ = lock.Unlock()
			}
		}()
		return ctx.Err()
	}
}
