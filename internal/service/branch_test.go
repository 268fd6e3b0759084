package service_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/plan"
	"github.com/sluice-cd/sluice/internal/service"
)

func TestPlanBranch(t *testing.T) {
	_, store := newEngine(t)
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	target := sluice.PlannedTarget{Name: "staging", Account: "local", Namespace: "staging"}
	spec := sluice.Dataset{Name: "orders", Claims: []string{"db"}, URI: "mongodb://{{secrets.u}}:x@db:27017/shop"}
	taken := func(id sluice.DeploymentID, rehearsal *sluice.Rehearsal, expires time.Time) {
		data := sluice.RestoreData{Dataset: "orders", Spec: spec}
		p := plan.Restore(sluice.Checkpoint{Application: string(id)}, target, data)
		p.Rehearsal = rehearsal
		first := sluice.Event{Kind: sluice.DeploymentStarted, At: now, Plan: p, Actor: &sluice.Actor{Name: "berta"}}
		if err := store.Append(t.Context(), id, 0, first); err != nil {
			t.Fatal(err)
		}
		c := sluice.Checkpoint{ID: sluice.CheckpointID(id) + "-before", Deployment: id, Application: string(id),
			Dataset: "orders", Target: "staging", Masked: []string{"orders.name"}, Expires: expires}
		if err := store.PutCheckpoint(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	taken("1a", nil, time.Time{})
	taken("2b", &sluice.Rehearsal{}, time.Time{})
	taken("3c", nil, now.Add(-time.Second))
	asked := sluice.Branch{Name: "anna", Account: "local", Namespace: "dev", Owner: "anna", MadeAt: now,
		Expires: now.Add(time.Hour)}

	p, b, err := service.PlanBranch(t.Context(), store, "1a", asked)
	if err != nil {
		t.Fatal(err)
	}
	want := asked
	want.Application, want.Dataset, want.Target, want.Checkpoint = "1a", "orders", "staging", "1a-before"
	want.Masked, want.URI = []string{"orders.name"}, "mongodb://db:27017/shop"
	if diff := cmp.Diff(want, b); diff != "" {
		t.Error(diff)
	}
	if where := p.Targets[0]; where.Account != "local" || where.Namespace != "dev" {
		t.Errorf("it is made in %v", where)
	}
	for checkpoint, code := range map[string]sluice.Code{
		"2b": sluice.Invalid, "3c": sluice.Conflict, "4d": sluice.NotFound,
	} {
		if _, _, err := service.PlanBranch(t.Context(), store, checkpoint, asked); sluice.ErrorCode(err) != code {
			t.Errorf("%s: %v", checkpoint, err)
		}
	}
	list, err := service.Checkpoints(t.Context(), store, "1a")
	if err != nil || len(list) != 1 || list[0].Owner != "berta" {
		t.Errorf("listed are %v, %v", list, err)
	}
}
