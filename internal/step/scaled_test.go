package step_test

import (
	"testing"

	"github.com/sluice-cd/sluice"
)

// A stable Deployment that is scaled up during a rollout gets as many pods of the new version, however the traffic is
// divided.
func TestScaleUpDuringARolloutIsKept(t *testing.T) {
	for name, prepare := range map[string]func(*bench){
		"by weights":             func(*bench) {},
		"by the numbers of pods": func(b *bench) { b.account.DivideByPods() },
	} {
		t.Run(name, func(t *testing.T) {
			b := installed(t)
			prepare(b)
			b.mustRun(t, "apply")
			b.mustRun(t, "canary/0")
			if err := b.account.Scale(t.Context(), web, 5); err != nil {
				t.Fatal(err)
			}
			b.mustRun(t, "canary/1")
			for _, r := range []string{"web", "web-canary"} {
				if n := b.get(t, ref("apps/v1", "Deployment", r)).Number(0, "spec", "replicas"); n != 5 {
					t.Errorf("at 50 %% %s has %d pods, want 5", r, n)
				}
			}
		})
	}
}

// At a high weight the stable Deployment is smaller than it was. If its size is not the file's to say, promotion and
// its undo give the pods back.
func TestPromotionGivesTheStablePodsBack(t *testing.T) {
	unsized := func(version string) sluice.StepSpec {
		o := workload("Deployment", "web", "web:"+version)
		delete(o["spec"].(map[string]any), "replicas")
		return applying(true, service("web"), o)
	}
	b := newBench()
	b.account.DivideByPods()
	b.add("install", unsized("1"))
	b.mustRun(t, "install")
	if err := b.account.Scale(t.Context(), web, 4); err != nil {
		t.Fatal(err)
	}
	b.plan.Steps = nil
	b.add("apply", unsized("2")).add("canary/0", weight(75)).add("promote", promoting())
	b.mustRun(t, "apply")
	b.mustRun(t, "canary/0")
	if n := b.get(t, web).Number(0, "spec", "replicas"); n != 1 {
		t.Errorf("at 75 %% the stable Deployment has %d pods, want 1", n)
	}
	p := b.mustRun(t, "promote")
	if n := b.get(t, web).Number(0, "spec", "replicas"); n != 4 {
		t.Errorf("after promotion it has %d pods, want 4", n)
	}
	if err := b.must(t, "promote").Undo(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if o := b.get(t, web); o.Number(0, "spec", "replicas") != 4 || imageIn(o) != "web:1" {
		t.Errorf("after its undo it is %v", o)
	}
}

// A stable Deployment that an autoscaler sizes is never made smaller: its canary grows beside it instead, up to the
// autoscaler's limit.
func TestAutoscalerKeepsItsPods(t *testing.T) {
	for limit, canary := range map[int64]int{20: 9, 5: 5} {
		b := installed(t)
		b.account.DivideByPods()
		scaler := object("autoscaling/v2", "HorizontalPodAutoscaler", "web", map[string]any{"spec": map[string]any{
			"maxReplicas": limit, "scaleTargetRef": map[string]any{"kind": "Deployment", "name": "web"},
		}})
		if _, _, err := b.account.Apply(t.Context(), scaler, false); err != nil {
			t.Fatal(err)
		}
		b.add("canary/2", weight(75))
		b.mustRun(t, "apply")
		b.mustRun(t, "canary/2")
		stable, beside := b.get(t, web).Number(0, "spec", "replicas"), b.get(t, webCanary).Number(0, "spec", "replicas")
		if stable != 3 || beside != canary {
			t.Errorf("with a limit of %d, %d pods are old and %d new, want 3 and %d", limit, stable, beside, canary)
		}
	}
}
