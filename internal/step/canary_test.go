package step_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/steptest"
)

func TestCanaryStandsBesideTheStableVersion(t *testing.T) {
	b := installed(t)
	b.mustRun(t, "apply")
	stable, canary := b.get(t, web), b.get(t, webCanary)
	if imageIn(stable) != "web:1" || imageIn(canary) != "web:2" {
		t.Errorf("stable runs %s and the canary %s", imageIn(stable), imageIn(canary))
	}
	if got := b.get(t, webConfig).Text("data", "KEY"); got != "1" {
		t.Errorf("the stable version's configuration became %q before promotion", got)
	}
	raw := fmt.Sprint(canary)
	name := raw[strings.Index(raw, "configMapRef:map[name:")+len("configMapRef:map[name:"):]
	version := b.get(t, ref("v1", "ConfigMap", name[:strings.IndexByte(name, ']')]))
	if version == nil || version.Ref() == webConfig || version.Text("data", "KEY") != "2" {
		t.Errorf("the canary uses %v", version)
	}
	for _, path := range [][]string{{"selector", "matchLabels"}, {"template", "metadata", "labels"}} {
		labels, _ := canary.Field(append([]string{"spec"}, path...)...).(map[string]any)
		if diff := cmp.Diff(map[string]any{"app": "web", sluice.ReleaseLabel: "8b53639f15"}, labels); diff != "" {
			t.Errorf("%v: %s", path, diff)
		}
	}
	if canary.Number(0, "spec", "replicas") != 3 || b.account.Weight(namespace, "web") != 0 {
		t.Errorf("the canary has %d replicas and %d %% of the traffic", canary.Number(0, "spec", "replicas"),
			b.account.Weight(namespace, "web"))
	}
	if got := imageIn(b.get(t, ref("apps/v1", "StatefulSet", "db"))); got != "db:2" {
		t.Errorf("the StatefulSet runs %s", got)
	}
}

func TestRolloutAndItsUndoAlwaysServe(t *testing.T) {
	b := installed(t)
	was := b.account.Snapshot()
	b.account.AfterWrite(func() {
		if n := b.serving(); n < 3 {
			t.Errorf("only %d ready pods serve, at %d %%:\n%s", n, b.account.Weight(namespace, "web"), b.account.Snapshot())
		}
	})
	steps := []string{"apply", "canary/0", "canary/1", "promote"}
	done := map[string]sluice.Progress{}
	for i, weight := range []int{0, 10, 50, 0} {
		done[steps[i]] = b.mustRun(t, steps[i])
		if got := b.account.Weight(namespace, "web"); got != weight {
			t.Errorf("after %s the weight is %d, want %d", steps[i], got, weight)
		}
	}
	if imageIn(b.get(t, web)) != "web:2" || b.get(t, webConfig).Text("data", "KEY") != "2" || b.get(t, webCanary) != nil {
		t.Errorf("after promotion:\n%s", b.account.Snapshot())
	}
	for _, id := range []string{"promote", "canary/1", "canary/0", "apply"} {
		if err := b.must(t, id).Undo(t.Context(), done[id]); err != nil {
			t.Fatalf("undo %s: %v", id, err)
		}
	}
	if diff := cmp.Diff(was, b.account.Snapshot()); diff != "" {
		t.Errorf("after undo (-want +got):\n%s", diff)
	}
}

// Promotion starts no pod: the Deployment takes over those of its canary, with their names, and they serve all the
// while.
func TestPromotionStartsNoPod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := installed(t)
		b.plan.Steps[0].Apply.Objects[4] = workload("Deployment", "web", "web:slow", fromConfigMap("web"))
		began := time.Now()
		b.mustRun(t, "apply")
		if took := time.Since(began); took != steptest.SlowStart {
			t.Errorf("apply took %s: it did not wait for its canary", took)
		}
		b.mustRun(t, "canary/1")
		fresh := b.podsOf(t, "Deployment/web-canary")
		began = time.Now()
		b.account.AfterWrite(func() {
			if n := b.serving(); n < 3 {
				t.Errorf("only %d ready pods serve", n)
			}
		})
		b.mustRun(t, "promote")
		if took := time.Since(began); took != 0 {
			t.Errorf("promotion took %s: it started pods", took)
		}
		if diff := cmp.Diff(fresh, b.podsOf(t, "Deployment/web")); diff != "" {
			t.Errorf("the pods of the canary became others:\n%s", diff)
		}
	})
}

// podsOf returns the names of the workload's pods.
func (b *bench) podsOf(t *testing.T, owner string) []string {
	t.Helper()
	pods, err := b.account.Pods(t.Context(), namespace)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range pods {
		if p.Owner == owner {
			names = append(names, p.Name)
		}
	}
	return names
}

// Undo of apply alone, as after a crash that lost a weight, leaves no traffic on pods that go.
func TestUndoTakesTheTrafficFirst(t *testing.T) {
	b := installed(t)
	p := b.mustRun(t, "apply")
	b.mustRun(t, "canary/1")
	b.account.AfterWrite(func() {
		if n := b.serving(); n < 3 {
			t.Errorf("only %d ready pods serve at %d %%", n, b.account.Weight(namespace, "web"))
		}
	})
	if err := b.must(t, "apply").Undo(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}

// Without its canary a rollout would end as a success, with the old version in place.
func TestCanaryThatSomebodyDeletesFailsTheRollout(t *testing.T) {
	deleted := func(o sluice.Object) { o.Set("2026-01-02T12:00:00Z", "metadata", "deletionTimestamp") }
	for _, id := range []string{"canary/1", "promote", "canary/1 while it is being deleted",
		"promote while it is being deleted"} {
		b := installed(t)
		b.mustRun(t, "apply")
		b.mustRun(t, "canary/0")
		id, isDeleted, _ := strings.Cut(id, " ")
		b.account.Amend(webCanary, deleted)
		if isDeleted == "" {
			if err := b.account.Delete(t.Context(), webCanary); err != nil {
				t.Fatal(err)
			}
		}
		_, err := b.run(t, id)
		if sluice.ErrorCode(err) != sluice.Failed ||
			!strings.Contains(err.Error(), "the canary Deployment/web-canary is gone") {
			t.Errorf("%s: %v", id, err)
		}
	}
}

// An undo that finds no other pods to serve leaves its canary; the next deployment takes it away once its own pods
// serve.
func TestCanaryOfAnEarlierDeploymentGoes(t *testing.T) {
	b := installed(t)
	for _, id := range []string{"apply", "canary/0", "promote"} {
		b.mustRun(t, id)
	}
	left := workload("Deployment", "web-canary", "web:0")
	left.Set("earlier", "metadata", "annotations", "sluice-cd.github.io/deployment")
	if _, _, err := b.account.Apply(t.Context(), left, false); err != nil {
		t.Fatal(err)
	}
	restart := b.account.Crash(3)
	_, err := b.run(t, "apply")
	if !restart() {
		t.Fatalf("it did not come to write 3: %v", err)
	}
	if b.get(t, webCanary) == nil {
		t.Error("the canary is gone before the rest is done, which nobody would do any more")
	}
	b.mustRun(t, "apply")
	if b.get(t, webCanary) != nil || b.account.Weight(namespace, "web") != 0 {
		t.Errorf("what the earlier deployment left stands still:\n%s", b.account.Snapshot())
	}
}

// A canary that failed loses its traffic at once, whether or not some stable pod is ready.
func TestTrafficLeavesACanaryThoughAStablePodIsNotReady(t *testing.T) {
	b := installed(t)
	b.account.DivideByPods()
	b.mustRun(t, "apply")
	p := b.mustRun(t, "canary/0")
	b.account.Amend(web, func(o sluice.Object) { o.Set(int64(2), "status", "readyReplicas") })
	if err := b.must(t, "canary/0").Undo(t.Context(), p); err != nil {
		t.Error(err)
	}
	if got := b.account.Weight(namespace, "web"); got != 0 {
		t.Errorf("%d %% of the traffic still go to the canary", got)
	}
}

func TestForeignObjectInTheCanarysPlace(t *testing.T) {
	b := installed(t)
	if _, _, err := b.account.Apply(t.Context(), workload("Deployment", "web-canary", "theirs:1"), false); err != nil {
		t.Fatal(err)
	}
	if _, err := b.run(t, "apply"); sluice.ErrorCode(err) != sluice.Conflict ||
		!strings.Contains(err.Error(), "web-canary exists") {
		t.Errorf("got %v", err)
	}
}

// A Service that is narrowed to one Deployment's pods would keep the traffic from the other's.
func TestServiceOfTwoDeploymentsIsRefusedBeforehand(t *testing.T) {
	b := installed(t)
	b.account.DivideByPods()
	other := workload("Deployment", "spot", "web:2")
	other.Set("web", "spec", "template", "metadata", "labels", "app")
	b.plan.Steps[0].Apply.Objects = append(b.plan.Steps[0].Apply.Objects, other)
	refused := b.vet(t, "apply")
	if len(refused) != 1 || !strings.Contains(refused[0].Message, "Service/web sends traffic to Deployment/spot too") {
		t.Errorf("found %v", refused)
	}
}

// Versions of the configuration that no pods use any more are deleted when the release is complete.
func TestOldVersionsOfTheConfigurationGo(t *testing.T) {
	b := installed(t)
	versions := func() (n int) {
		return strings.Count(b.account.Snapshot(), "ConfigMap/web-")
	}
	for _, version := range []string{"2", "3", "4"} {
		b.id = sluice.DeploymentID("r" + version)
		clear(b.results)
		b.plan.Steps[0].Apply.Objects = release(version)
		b.mustRun(t, "apply")
		b.mustRun(t, "canary/1")
		p := b.mustRun(t, "promote")
		if err := b.must(t, "promote").Finish(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		if versions() != 1 {
			t.Errorf("after release %s there are %d versions:\n%s", version, versions(), b.account.Snapshot())
		}
	}
}
