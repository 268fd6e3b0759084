package enginetest

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sluice-cd/sluice"
)

// Fill records deployments that have succeeded, a minute apart, the last one a minute ago. The applications take turns.
func Fill(ctx context.Context, store sluice.Log, applications, deployments int) error {
	const together = 64 // so that many share one sync of the disk
	begin := time.Now().Add(-time.Duration(deployments) * time.Minute)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(together)
	for i := range deployments {
		g.Go(func() error {
			at := begin.Add(time.Duration(i) * time.Minute)
			p := PlanOf(fmt.Sprintf("application-%03d", i%applications), fmt.Sprintf("1.%d", i))
			id := sluice.DeploymentID(fmt.Sprintf("%011x-%08x", at.UnixMilli(), i))
			return store.Append(ctx, id, 0, succeeded(p, at)...)
		})
	}
	return g.Wait()
}

// succeeded is the log of a deployment that has succeeded.
func succeeded(p *sluice.Plan, at time.Time) []sluice.Event {
	by := &sluice.Actor{Name: "ci"}
	events := []sluice.Event{{At: at, Kind: sluice.DeploymentStarted, Plan: p, Actor: by}}
	for _, s := range p.Steps {
		at = at.Add(time.Second)
		done := &sluice.Progress{State: sluice.Done, Message: "done"}
		events = append(events,
			sluice.Event{At: at, Kind: sluice.StepStarting, Step: s.ID, Progress: &sluice.Progress{}},
			sluice.Event{At: at, Kind: sluice.StepDone, Step: s.ID, Progress: done},
			sluice.Event{At: at, Kind: sluice.StepFinishing, Step: s.ID},
			sluice.Event{At: at, Kind: sluice.StepFinished, Step: s.ID})
	}
	return append(events, sluice.Event{At: at, Kind: sluice.DeploymentEnded, Outcome: sluice.StatusSucceeded})
}

// deploymentObject is a Deployment with an image.
func deploymentObject(application, tag string) sluice.Object {
	return sluice.Object{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": application},
		"spec": map[string]any{"replicas": float64(4), "template": map[string]any{"spec": map[string]any{
			"containers": []any{map[string]any{"name": application, "image": "example.com/" + application + ":" + tag}},
		}}},
	}
}

// PlanOf is a plan for staging and then production, as a shop with a database has one. Production waits for an
// approval.
func PlanOf(application, tag string) *sluice.Plan {
	p := &sluice.Plan{Application: application, Targets: []sluice.PlannedTarget{
		{Name: "staging", Account: "west", Namespace: application, AfterFailure: "keep"},
		{Name: "production", Account: "east", Namespace: application, DependsOn: []string{"staging"}, AfterFailure: "keep",
			RollbackClass: "A"},
	}}
	var before sluice.StepID
	add := func(target string, phase sluice.Phase, name string, spec sluice.StepSpec) {
		s := sluice.PlannedStep{ID: sluice.StepID(target + "/" + name), Target: target, Phase: phase, StepSpec: spec}
		if before.Target() == target {
			s.After = []sluice.StepID{before}
		}
		before = s.ID
		p.Steps = append(p.Steps, s)
	}
	apply := sluice.StepSpec{Kind: sluice.KindApply, Apply: &sluice.Apply{
		Objects: []sluice.Object{deploymentObject(application, tag)}, Canary: true,
	}}
	upper := 0.01
	analysis := sluice.StepSpec{Kind: sluice.KindAnalysis, Analysis: &sluice.Analysis{
		Queries: []string{"errors"}, Interval: 30 * time.Second, Runs: 6,
		Resolved: []sluice.Query{{
			Name: "errors", Template: "sum(rate(errors[1m]))", Upper: &upper, Provider: "prometheus",
		}},
	}}
	weight := func(n int) sluice.StepSpec {
		return sluice.StepSpec{Kind: sluice.KindSetWeight, SetWeight: &sluice.SetWeight{Weight: n}}
	}
	add("staging", sluice.PhaseApply, "apply", apply)
	add("staging", sluice.PhaseCanary, "canary/0", weight(50))
	add("staging", sluice.PhaseCanary, "canary/1", analysis)
	promote := sluice.StepSpec{Kind: sluice.KindPromote, Promote: &sluice.Promote{}}
	add("staging", sluice.PhasePromote, "promote", promote)
	orders := sluice.Dataset{Name: "orders", Engine: "mongodb"}
	add("production", sluice.PhaseBefore, "before/0", sluice.StepSpec{
		Kind: sluice.KindCheckpointData, CheckpointData: &sluice.CheckpointData{Dataset: "orders", Spec: orders},
	})
	add("production", sluice.PhaseApply, "apply", apply)
	add("production", sluice.PhaseCanary, "canary/0", weight(25))
	add("production", sluice.PhaseCanary, "canary/1", sluice.StepSpec{
		Kind: sluice.KindPause, Pause: &sluice.Pause{UntilApproved: true, RequiresRoles: []string{"owner"}},
	})
	add("production", sluice.PhasePromote, "promote", promote)
	add("production", sluice.PhaseAfter, "after/0", sluice.StepSpec{
		Kind:       sluice.KindVerifyData,
		VerifyData: &sluice.VerifyData{Dataset: "orders", Baseline: "checkpoint", Mode: "loss", Spec: orders},
	})
	return p
}
