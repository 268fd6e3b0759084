package service

import (
	"context"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/history"
)

// A Listed is a deployment in a list.
type Listed struct {
	State  *engine.State
	RunsIn []string // the targets that run what it brought
}

// List returns the latest deployments of all applications, at most the given number, newest first.
func List(ctx context.Context, store sluice.Store, most int) ([]Listed, error) {
	list, err := store.Deployments(ctx, "")
	if err != nil {
		return nil, err
	}
	type kind struct {
		application string
		rehearsed   bool
	}
	histories := map[kind]*history.History{}
	var all []Listed
	for _, d := range list[:min(len(list), most)] {
		s, err := engine.Fold(d.ID, store.Read(ctx, d.ID, 0))
		if err != nil {
			return nil, err
		}
		k := kind{d.Application, s.Plan.Rehearsal != nil}
		if histories[k] == nil {
			histories[k] = &history.History{}
		}
		h := histories[k]
		h.Add(s)
		l := Listed{State: s}
		for _, t := range s.Plan.Targets {
			if brought := h.Since(t.Name, ""); len(brought) > 0 && brought[0].Deployment == d.ID {
				l.RunsIn = append(l.RunsIn, t.Name)
			}
		}
		all = append(all, l)
	}
	return all, nil
}

// Running returns the deployment that arg names, or the only one that runs, as it stands.
func Running(ctx context.Context, store sluice.Store, arg string) (*engine.State, error) {
	list, err := store.Deployments(ctx, "")
	if err != nil {
		return nil, err
	}
	d, err := Find(list, arg, IsRunning)
	if err != nil {
		return nil, err
	}
	return engine.Fold(d.ID, store.Read(ctx, d.ID, 0))
}
