package main

import (
	"context"
	"maps"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/local"
	"github.com/sluice-cd/sluice/internal/local/agent"
)

// accounts opens the accounts of the configuration. A passive wiring leaves those out that do not run.
func (w *wiring) accounts(ctx context.Context) (map[string]sluice.Account, error) {
	all := map[string]sluice.Account{}
	w.reached = map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(w.config.Accounts)) {
		c := w.config.Accounts[name]
		if c.Type != config.AccountLocal || w.passive && !runs(ctx, w.dir.account(name)) {
			continue
		}
		account, err := w.dial(ctx, c)
		if err != nil {
			return nil, err
		}
		all[name], w.reached[name] = account, true
	}
	return all, nil
}

// dial opens a local account, starting its agent if it does not run.
func (w *wiring) dial(ctx context.Context, c config.Account) (*local.Account, error) {
	images := map[string]local.Image{}
	for name, i := range c.Images {
		images[name] = local.Image{Command: i.Command, Dir: i.Dir, Env: i.Env}
	}
	if w.passive {
		images = nil // to look at an account must not change what it runs
	}
	return local.Dial(ctx, local.Config{Dir: w.dir.account(c.Name), Name: c.Name, Images: images})
}

// runs reports whether the agent of the directory answers.
func runs(ctx context.Context, dir string) bool {
	conn, err := agent.DialSocket(ctx, dir)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}
