package service_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/history"
	"github.com/sluice-cd/sluice/internal/service"
	"github.com/sluice-cd/sluice/internal/storetest"
)

// A narrow store shows the deployments of one application.
type narrow struct {
	sluice.Store
	application string
}

func (n narrow) Deployments(ctx context.Context, application string) ([]sluice.Deployment, error) {
	list, err := n.Store.Deployments(ctx, application)
	return slices.DeleteFunc(slices.Clone(list), func(d sluice.Deployment) bool {
		return d.Application != n.application
	}), err
}

// Checkpoints lists none, which is all that the store in memory has.
func (narrow) Checkpoints(context.Context, string) ([]sluice.Checkpoint, error) { return nil, nil }

// A rollback deletes what the release created, but nothing that an application runs which the caller may not see.
func TestARollbackKeepsWhatOthersUse(t *testing.T) {
	store, at := storetest.NewMemory(), time.Unix(1, 0)
	deploy := func(id sluice.DeploymentID, application string, names ...string) {
		t.Helper()
		var objects []sluice.Object
		var changes []sluice.Change
		for _, name := range names {
			objects = append(objects, sluice.Object{"apiVersion": "v1", "kind": "ConfigMap",
				"metadata": map[string]any{"name": name, "namespace": "n"}})
			changes = append(changes, sluice.Change{Object: "ConfigMap/" + name, Outcome: sluice.Created})
		}
		p := &sluice.Plan{Application: application, Digest: string(id),
			Targets: []sluice.PlannedTarget{{Name: "t", Account: "here", Namespace: "n"}},
			Steps: []sluice.PlannedStep{{ID: "t/apply", Target: "t", Phase: sluice.PhaseApply,
				StepSpec: sluice.StepSpec{Kind: sluice.KindApply, Apply: &sluice.Apply{Objects: objects}}}}}
		if err := store.Append(t.Context(), id, 0,
			sluice.Event{At: at, Kind: sluice.DeploymentStarted, Plan: p},
			sluice.Event{At: at, Kind: sluice.StepStarting, Step: "t/apply", Progress: &sluice.Progress{}},
			sluice.Event{At: at, Kind: sluice.StepDone, Step: "t/apply",
				Progress: &sluice.Progress{State: sluice.Done, Changes: changes}},
			sluice.Event{At: at, Kind: sluice.StepFinished, Step: "t/apply"},
			sluice.Event{At: at, Kind: sluice.DeploymentEnded, Outcome: sluice.StatusSucceeded},
		); err != nil {
			t.Fatal(err)
		}
	}
	deploy("d1", "shop", "a")
	deploy("d2", "shop", "a", "own", "shared")
	deploy("d3", "bank", "shared")
	q := service.RollbackRequest{Deployment: "d2", By: sluice.Actor{Name: "ann"}}
	r, err := service.PlanRollback(t.Context(), narrow{store, "shop"}, history.NewIndex(store), q)
	if err != nil {
		t.Fatal(err)
	}
	if gone := r.Targets[0].Gone; len(gone) != 1 || gone[0].Name != "own" {
		t.Errorf("it deletes %v", gone)
	}
}
