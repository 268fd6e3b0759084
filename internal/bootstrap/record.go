package bootstrap

import (
	"context"
	"errors"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/sqlite"
)

// record adds a signal to the log of a deployment while no engine runs. The caller holds the lock.
func record(ctx context.Context, dir StateDir, id sluice.DeploymentID, sig sluice.Signal) (err error) {
	store, err := sqlite.Open(ctx, dir.store())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	state, err := engine.Fold(id, store.Read(ctx, id, 0))
	if err != nil {
		return err
	}
	if err := engine.Admit(state, sig); err != nil {
		return err
	}
	return store.Append(ctx, id, state.Seq, sluice.Event{At: time.Now(), Kind: sluice.SignalReceived, Signal: &sig})
}
