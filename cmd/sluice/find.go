package main

import (
	"context"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/present"
)

// find returns the deployment that arg is the beginning of. Where arg is "" it is the only one that fits.
func find(list []sluice.Deployment, arg string, fits func(sluice.Deployment) bool) (sluice.Deployment, error) {
	var found []sluice.Deployment
	for _, d := range list {
		if arg == "" && fits(d) || arg != "" && strings.HasPrefix(string(d.ID), arg) {
			found = append(found, d)
		}
	}
	exact := slices.IndexFunc(found, func(d sluice.Deployment) bool { return string(d.ID) == arg })
	switch {
	case exact >= 0:
		return found[exact], nil
	case len(found) == 1:
		return found[0], nil
	case len(found) == 0 && arg == "":
		return sluice.Deployment{}, sluice.Errorf(sluice.NotFound, "no deployment fits").WithHint("see them with: sluice status")
	case len(found) == 0:
		return sluice.Deployment{}, sluice.Errorf(sluice.NotFound, "there is no deployment %q", arg).WithHint("see them with: sluice status")
	}
	return sluice.Deployment{}, sluice.Errorf(sluice.Invalid, "%s fit: %s", present.Plural(len(found), "deployment"), ids(found)).
		WithHint("name one of them")
}

func ids(list []sluice.Deployment) string {
	texts := make([]string, len(list))
	for i, d := range list {
		texts[i] = string(d.ID) + " (" + d.Application + ")"
	}
	return strings.Join(texts, ", ")
}

func isRunning(d sluice.Deployment) bool { return d.Outcome == "" }

// findRunning returns the deployment that arg names, or the only one that runs, as it stands.
func (a *app) findRunning(ctx context.Context, arg string) (state *engine.State, err error) {
	err = a.reading(ctx, func(store sluice.Store) error {
		list, err := store.Deployments(ctx, "")
		if err != nil {
			return err
		}
		d, err := find(list, arg, isRunning)
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
	store, err := dir.Read(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	return use(store)
}
