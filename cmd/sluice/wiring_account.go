package main

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/local"
	"github.com/sluice-cd/sluice/internal/local/agent"
)

// accounts opens the accounts of the configuration. A passive wiring leaves those of this machine out that do not
// run.
func (w *wiring) accounts(ctx context.Context) (map[string]sluice.Account, error) {
	all, err := w.locals(ctx)
	if err != nil {
		return nil, err
	}
	clusters, err := w.clusters(ctx, w.only)
	for name, a := range clusters {
		all[name], w.reached[name] = a.Abilities(), true
	}
	w.opened = all
	return all, err
}

// locals opens the accounts of this machine.
func (w *wiring) locals(ctx context.Context) (map[string]sluice.Account, error) {
	all := map[string]sluice.Account{}
	w.reached = map[string]bool{}
	known, err := w.localAccounts()
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		c := known[name]
		_, use := w.config.Accounts[name] // what rehearsals left is looked at only
		if w.passive {
			use = runs(ctx, w.dir.account(name))
		}
		if !use {
			continue
		}
		account, err := w.account(ctx, c)
		if err != nil {
			return nil, err
		}
		all[name], w.reached[name] = account.Abilities(), true
	}
	return all, nil
}

// account opens an account of this machine. It dials an account that was used before, so that what ran there runs
// again; any other one is dialed when it is first used.
func (w *wiring) account(ctx context.Context, c config.Account) (*local.Account, error) {
	settings := local.Config{Dir: w.dir.account(c.Name), Name: c.Name, Images: imagesOf(c.Images)}
	if w.passive {
		settings.Images = nil // to look at an account must not change what it runs
	}
	if _, err := os.Stat(settings.Dir); errors.Is(err, fs.ErrNotExist) && !w.passive {
		return local.Open(settings), nil
	}
	return local.Dial(ctx, settings)
}

// runs reports whether the agent of the directory answers.
func runs(ctx context.Context, dir string) bool {
	conn, err := agent.DialSocket(ctx, dir)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}
