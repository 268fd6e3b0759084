package service

import (
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/history"
	"github.com/sluice-cd/sluice/internal/storetest"
)

// An object belongs to an application as soon as a deployment of it has begun to apply it.
func TestObjectOfARunningDeploymentIsForeign(t *testing.T) {
	planned := func(application, value string) *sluice.Plan {
		o := sluice.Object{"apiVersion": "v1", "kind": "ConfigMap",
			"metadata": map[string]any{"name": "both", "namespace": "n"}, "data": map[string]any{"v": value}}
		return &sluice.Plan{Application: application, Targets: []sluice.PlannedTarget{{Name: "t", Account: "local"}},
			Steps: []sluice.PlannedStep{{ID: "t/apply", Target: "t", Phase: sluice.PhaseApply,
				StepSpec: sluice.StepSpec{Kind: sluice.KindApply, Apply: &sluice.Apply{Objects: []sluice.Object{o}}}}}}
	}
	store, at := storetest.NewMemory(), time.Unix(1, 0)
	if err := store.Append(t.Context(), "d1", 0,
		sluice.Event{At: at, Kind: sluice.DeploymentStarted, Plan: planned("blog", "1")},
		sluice.Event{At: at, Kind: sluice.StepStarting, Step: "t/apply", Progress: &sluice.Progress{}},
	); err != nil {
		t.Fatal(err)
	}
	isLocal := func(string) bool { return true }
	taken := planned("shop", "2")
	taken.TakeOver = sluice.Owners{sluice.ManagerOf("blog")}
	for name, test := range map[string]struct {
		plan *sluice.Plan
		code sluice.Code
	}{
		"another value":                 {planned("shop", "2"), sluice.Conflict},
		"the same value":                {planned("shop", "1"), ""},
		"another value, taken over":     {taken, ""},
		"another value, by its own one": {planned("blog", "2"), ""},
	} {
		err := checkForeign(t.Context(), history.NewIndex(store), test.plan, isLocal)
		if (err != nil) != (test.code != "") || err != nil && sluice.ErrorCode(err) != test.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}
