package bootstrap

import (
	"context"

	"github.com/sluice-cd/sluice"
)

// noCatalogue is the catalogue of a state directory without a store.
type noCatalogue struct{}

func (noCatalogue) PutCheckpoint(context.Context, sluice.Checkpoint) error {
	return sluice.Errorf(sluice.Denied, "a preview keeps no checkpoint")
}

func (noCatalogue) Checkpoint(_ context.Context, id sluice.CheckpointID) (sluice.Checkpoint, error) {
	return sluice.Checkpoint{}, sluice.Errorf(sluice.NotFound, "there is no checkpoint %s", id)
}

func (noCatalogue) Checkpoints(context.Context, string) ([]sluice.Checkpoint, error) { return nil, nil }

func (noCatalogue) DeleteCheckpoint(context.Context, sluice.CheckpointID) error { return nil }
