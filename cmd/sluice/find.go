package main

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/service"
)

// names lists the keys of a map, sorted, for a message.
func names[V any](m map[string]V) string {
	if len(m) == 0 {
		return "none"
	}
	return strings.Join(slices.Sorted(maps.Keys(m)), ", ")
}

// findRunning returns the deployment that arg names, or the only one that runs, as it stands.
func (a *app) findRunning(ctx context.Context, arg string) (state *engine.State, err error) {
	err = a.reading(ctx, func(store sluice.Store) error {
		list, err := store.Deployments(ctx, "")
		if err != nil {
			return err
		}
		d, err := service.Find(list, arg, service.IsRunning)
		if err != nil {
			return err
		}
		state, err = engine.Fold(d.ID, store.Read(ctx, d.ID, 0))
		return err
	})
	return state, err
}

// reading hands out the store for reading and closes it afterwards.
func (a *app) reading(ctx context.Context, use func(sluice.Store) error) error {
	dir, err := a.stateDir()
	if err != nil {
		return err
	}
	store, err := dir.read(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	return use(store)
}
