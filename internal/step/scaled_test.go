package step_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

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

// A number of pods that is not the file's to say stays, through promotion and its undo.
func TestPromotionKeepsTheNumberOfPods(t *testing.T) {
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
	if stable, canary := b.account.Serving(namespace, "web"); stable != 1 || canary != 4 {
		t.Errorf("at 75 %% %d old and %d new pods serve, want 1 and 4", stable, canary)
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

// A release that changes the number of pods together with their version ends with the number that the file says.
func TestReplicasChangeWithTheVersion(t *testing.T) {
	for _, n := range []int64{1, 2, 5, 7} {
		for _, byPods := range []bool{false, true} {
			b := installed(t)
			if byPods {
				b.account.DivideByPods()
			}
			was := b.account.Snapshot()
			b.plan.Steps[0].Apply.Objects[4].Set(n, "spec", "replicas")
			b.account.AfterWrite(func() {
				if serving := b.serving(); serving < min(int(n), 3) {
					t.Errorf("to %d: only %d pods serve", n, serving)
				}
			})
			b.add("canary/2", weight(75))
			var ids []string
			done := map[string]sluice.Progress{}
			for _, id := range []string{"apply", "canary/0", "canary/1", "canary/2", "promote"} {
				done[id] = b.mustRun(t, id)
				ids = append(ids, id)
			}
			if got := b.get(t, web); int64(got.Number(0, "spec", "replicas")) != n || !ready(got, n) {
				t.Errorf("it ends with %v, want %d pods", got, n)
			}
			for _, id := range slices.Backward(ids) {
				if err := b.must(t, id).Undo(t.Context(), done[id]); err != nil {
					t.Fatalf("undo %s: %v", id, err)
				}
			}
			if diff := cmp.Diff(was, b.account.Snapshot()); diff != "" {
				t.Errorf("to %d and back (-want +got):\n%s", n, diff)
			}
		}
	}
}

func ready(o sluice.Object, n int64) bool {
	return o.Number(0, "status", "readyReplicas") == int(n) && o.Number(0, "status", "replicas") == int(n)
}

// A Deployment that an autoscaler sizes is rolled out like any other.
func TestAutoscalerKeepsItsPods(t *testing.T) {
	b := installed(t)
	b.account.DivideByPods()
	scaler := object("autoscaling/v2", "HorizontalPodAutoscaler", "web", map[string]any{"spec": map[string]any{
		"maxReplicas": 5, "scaleTargetRef": map[string]any{"kind": "Deployment", "name": "web"},
	}})
	if _, _, err := b.account.Apply(t.Context(), scaler, false); err != nil {
		t.Fatal(err)
	}
	b.add("canary/2", weight(75))
	b.mustRun(t, "apply")
	b.mustRun(t, "canary/2")
	if n := b.get(t, web).Number(0, "status", "readyReplicas"); n != 3 {
		t.Errorf("%d old pods are left", n)
	}
	if stable, canary := b.account.Serving(namespace, "web"); stable != 1 || canary != 3 {
		t.Errorf("%d old and %d new pods serve, want 1 and 3", stable, canary)
	}
}
