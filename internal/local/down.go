package local

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

	"github.com/sluice-cd/sluice/internal/local/agent"
	"github.com/sluice-cd/sluice/internal/local/process"
)

// agent returns the process of the agent that runs or ran last.
func (a *Account) agent() (process.Identity, error) {
	var id process.Identity
	b, err := os.ReadFile(filepath.Join(a.config.Dir, "agent.pid"))
	if err != nil {
		return id, err
	}
	return id, json.Unmarshal(b, &id)
}

// ended returns a channel that is closed when the current agent has ended.
func (a *Account) ended() (<-chan struct{}, error) {
	gone := make(chan struct{})
	close(gone)
	id, err := a.agent()
	if err != nil {
		return nil, err
	}
	p, err := process.Adopt(id)
	if errors.Is(err, os.ErrProcessDone) {
		return gone, nil
	}
	if err != nil {
		return nil, err
	}
	return p.Done(), nil
}

// Down ends every process of the account, gracefully, and then its agent. The objects stay: they run again when the
// account is dialled again. If no agent runs, Down starts one that only ends what an earlier one left.
func (a *Account) Down(ctx context.Context) error {
	if agent.IsDown(a.config.Dir) && !a.answers(ctx) {
		return nil
	}
	if err := a.ensure(ctx, endOnly); err != nil {
		return err
	}
	ended, err := a.ended()
	if err != nil {
		return err
	}
	if err := a.ask(ctx, "/down", struct{}{}, nil); err != nil {
		return err
	}
	a.client.CloseIdleConnections()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Remove ends everything and deletes the account's directory with its volumes.
func (a *Account) Remove(ctx context.Context) error {
	if err := a.Down(ctx); err != nil {
		return err
	}
	return os.RemoveAll(a.config.Dir)
}
