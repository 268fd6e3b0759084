package step_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/steptest"
)

// working is a bench on which twelve pods of a worker run, which no Service of the file selects. Its plan brings the
// next version.
func working(t *testing.T, weights ...int) *bench {
	t.Helper()
	worker := func(version string) sluice.Object {
		o := workload("Deployment", "web", "web:"+version)
		o.Set(12, "spec", "replicas")
		return o
	}
	b := newBench()
	b.add("install", applying(true, worker("1")))
	b.mustRun(t, "install")
	b.plan.Steps = nil
	b.add("apply", applying(true, worker("2")))
	for i, w := range weights {
		b.add(fmt.Sprintf("canary/%d", i), weight(w))
	}
	return b.add("promote", promoting())
}

func (b *bench) sizes(t *testing.T) [2]int {
	return [2]int{
		b.get(t, web).Number(0, "spec", "replicas"), b.get(t, webCanary).Number(0, "spec", "replicas"),
	}
}

// Where no Service selects the pods, their numbers divide the work, also on an account that weighs traffic. The plan
// and the steps say which share that is. No pod of the old version stops before promotion.
func TestWorkIsDividedByPods(t *testing.T) {
	b := working(t, 0, 25, 50, 75, 100)
	before := b.account.Snapshot()
	shares := []string{
		"4 of 16 pods of Deployment/web are new: 25 %", "4 of 16 pods of Deployment/web are new: 25 %",
		"12 of 24 pods of Deployment/web are new: 50 %",
		"12 of 24 pods of Deployment/web are new: 50 %, more only at promotion",
		"12 of 24 pods of Deployment/web are new: 50 %, more only at promotion",
	}
	sizes := [][2]int{{12, 4}, {12, 4}, {12, 12}, {12, 12}, {12, 12}}
	preview, err := b.must(t, "apply").Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range []int{25, 50, 75, 100} {
		if note := fmt.Sprintf("at weight %d, %s", w, shares[i+1]); !slices.Contains(preview.Notes, note) {
			t.Errorf("the plan does not say %q: %q", note, preview.Notes)
		}
	}
	done := []sluice.Progress{b.mustRun(t, "apply")}
	for i := range sizes {
		p := b.mustRun(t, fmt.Sprintf("canary/%d", i))
		if p.Message != shares[i] || b.sizes(t) != sizes[i] {
			t.Errorf("canary/%d: %q with %v", i, p.Message, b.sizes(t))
		}
		done = append(done, p)
	}
	for i, p := range slices.Backward(done) {
		id := fmt.Sprintf("canary/%d", i-1)
		if i == 0 {
			id = "apply"
		}
		if err := b.must(t, id).Undo(t.Context(), p); err != nil {
			t.Fatalf("undo %s: %v", id, err)
		}
		if i > 1 && b.sizes(t)[0] < sizes[i-2][0] {
			t.Errorf("after the undo of %s there are %v pods, want %v", id, b.sizes(t), sizes[i-2])
		}
	}
	if diff := cmp.Diff(before, b.account.Snapshot()); diff != "" {
		t.Errorf("after undo (-want +got):\n%s", diff)
	}
}

func TestPromotionOfAWorker(t *testing.T) {
	b := working(t, 75)
	b.mustRun(t, "apply")
	b.mustRun(t, "canary/0")
	b.mustRun(t, "promote")
	if o := b.get(t, web); b.sizes(t) != [2]int{12, 0} || imageIn(o) != "web:2" {
		t.Errorf("after promotion there are %v pods of %s", b.sizes(t), imageIn(o))
	}
}

// A Service that is not in the file, but in the cluster, divides the traffic of the pods that it selects.
func TestServiceOfTheClusterDividesTraffic(t *testing.T) {
	b := working(t, 25)
	if _, _, err := b.account.Apply(t.Context(), service("web"), false); err != nil {
		t.Fatal(err)
	}
	b.mustRun(t, "apply")
	p := b.mustRun(t, "canary/0")
	if b.account.Weight(namespace, "web") != 25 || !strings.HasPrefix(p.Message, "25 % of the traffic") {
		t.Errorf("%q at %d %%", p.Message, b.account.Weight(namespace, "web"))
	}
}

func TestShareByPodsIsReported(t *testing.T) {
	for percent, want := range map[int]string{
		50: "3 of 6 pods of Deployment/web are new: 50 %", 10: "1 of 4 pods of Deployment/web are new: 25 %",
		100: "100 % of the traffic goes to the new version",
	} {
		b := installed(t)
		b.account.DivideByPods()
		b.plan.Steps[2].SetWeight.Weight = percent
		b.mustRun(t, "apply")
		if p := b.mustRun(t, "canary/1"); !strings.HasPrefix(p.Message, want) {
			t.Errorf("at %d %%: %q", percent, p.Message)
		}
	}
}

func TestWorkerConformance(t *testing.T) {
	steptest.Run(t, func(t *testing.T) steptest.World {
		b := working(t, 25, 75)
		b.mustRun(t, "apply")
		b.mustRun(t, "canary/0")
		return b.world("canary/1")
	})
}
