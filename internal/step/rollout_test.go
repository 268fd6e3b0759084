package step_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step"
	"github.com/sluice-cd/sluice/internal/steptest"
)

var (
	web       = ref("apps/v1", "Deployment", "web")
	webCanary = ref("apps/v1", "Deployment", "web-canary")
	webConfig = ref("v1", "ConfigMap", "web")
)

func (b *bench) get(t *testing.T, r sluice.Ref) sluice.Object {
	t.Helper()
	o, err := b.account.Get(t.Context(), r)
	if err != nil && sluice.ErrorCode(err) != sluice.NotFound {
		t.Fatal(err)
	}
	return o
}

func imageIn(o sluice.Object) string {
	containers, _ := o.Field("spec", "template", "spec", "containers").([]any)
	if len(containers) == 0 {
		return ""
	}
	return fmt.Sprint(containers[0].(map[string]any)["image"])
}

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
		if diff := cmp.Diff(map[string]any{"app": "web", sluice.TrackLabel: sluice.TrackCanary}, labels); diff != "" {
			t.Errorf("%v: %s", path, diff)
		}
	}
	if canary.Number(0, "spec", "replicas") != 3 || b.account.Weight(namespace, "web") != 0 {
		t.Errorf("the canary has %d replicas and %d %% of the traffic", canary.Number(0, "spec", "replicas"), b.account.Weight(namespace, "web"))
	}
	if got := imageIn(b.get(t, ref("apps/v1", "StatefulSet", "db"))); got != "db:2" {
		t.Errorf("the StatefulSet runs %s", got)
	}
}

// serving returns how many ready pods get traffic, at the least.
func (b *bench) serving(t *testing.T) int {
	weight, ready := b.account.Weight(namespace, "web"), func(r sluice.Ref) int { return b.get(t, r).Number(0, "status", "readyReplicas") }
	switch weight {
	case 0:
		return ready(web)
	case 100:
		return ready(webCanary)
	}
	return min(ready(web), ready(webCanary))
}

func TestRolloutAndItsUndoAlwaysServe(t *testing.T) {
	b := installed(t)
	was := b.account.Snapshot()
	b.account.AfterWrite(func() {
		if n := b.serving(t); n < 3 {
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
	if strings.Contains(b.account.Snapshot(), "sluice-cd.github.io/deployment") {
		t.Errorf("promotion leaves what stood only meanwhile:\n%s", b.account.Snapshot())
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

// Without its canary a rollout would end as a success, with the old version in place.
func TestCanaryThatSomebodyDeletesFailsTheRollout(t *testing.T) {
	for _, id := range []string{"canary/1", "promote"} {
		b := installed(t)
		b.mustRun(t, "apply")
		b.mustRun(t, "canary/0")
		if err := b.account.Delete(t.Context(), webCanary); err != nil {
			t.Fatal(err)
		}
		_, err := b.run(t, id)
		if sluice.ErrorCode(err) != sluice.Failed || !strings.Contains(fmt.Sprint(err), "Deployment/web-canary, the canary, is gone") {
			t.Errorf("%s: %v", id, err)
		}
	}
}

// Where the old version serves nobody, there is nothing to compare the new one with.
func TestBrokenOldVersionIsReplacedStraight(t *testing.T) {
	b := installed(t)
	b.account.Break("web:1")
	p := b.mustRun(t, "apply")
	if imageIn(b.get(t, web)) != "web:2" || b.get(t, webCanary) != nil {
		t.Errorf("after apply:\n%s", b.account.Snapshot())
	}
	if err := b.must(t, "apply").Undo(t.Context(), p); err != nil || imageIn(b.get(t, web)) != "web:1" {
		t.Errorf("undo (%v) leaves:\n%s", err, b.account.Snapshot())
	}
}

func TestOldVersionThatDoesNotStartLeavesTheNewOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := installed(t)
		b.mustRun(t, "apply")
		b.account.Break("web:1")
		p := b.mustRun(t, "promote")
		err := b.must(t, "promote").Undo(t.Context(), p)
		if sluice.ErrorCode(err) != sluice.Failed || !strings.Contains(err.Error(), "the new one stays") {
			t.Errorf("got %v", err)
		}
		if imageIn(b.get(t, web)) != "web:2" || b.get(t, webCanary) != nil || b.get(t, webConfig).Text("data", "KEY") != "2" {
			t.Errorf("the only healthy copy was touched:\n%s", b.account.Snapshot())
		}
	})
}

func TestFirstDeploymentGoesStraight(t *testing.T) {
	b := newBench().add("apply", applying(true, release("1")...)).add("canary/0", weight(10)).add("promote", promoting())
	s := b.must(t, "apply")
	preview, err := s.Check(t.Context())
	if err != nil || !strings.Contains(strings.Join(preview.Notes, "\n"), "straight to 100 %") {
		t.Errorf("got %v, %v", preview.Notes, err)
	}
	for _, id := range []string{"apply", "canary/0", "promote"} {
		b.mustRun(t, id)
	}
	if b.get(t, webCanary) != nil || b.account.Weight(namespace, "web") != 0 {
		t.Error("a first deployment has a canary")
	}
}

func TestFirstDeploymentLeavesTheGatesOut(t *testing.T) {
	approval := sluice.StepSpec{Kind: sluice.KindPause, Pause: &sluice.Pause{UntilApproved: true}}
	b := newBench().add("apply", applying(true, release("1")...)).add("canary/0", approval).add("after/0", approval)
	if preview, err := b.must(t, "apply").Check(t.Context()); err != nil || !strings.Contains(strings.Join(preview.Notes, "\n"), "are left out") {
		t.Errorf("the plan does not tell: %v, %v", preview.Notes, err)
	}
	b.mustRun(t, "apply")
	if p := b.mustRun(t, "canary/0"); p.State != sluice.Done {
		t.Errorf("the approval of the strategy is waited for: %+v", p)
	}
	if p := b.mustRun(t, "after/0"); p.State != sluice.Waiting {
		t.Errorf("the approval behind the strategy is not waited for: %+v", p)
	}

	b.plan.Rehearsal = &sluice.Rehearsal{}
	if p := b.mustRun(t, "canary/0"); p.State != sluice.Waiting {
		t.Errorf("a rehearsal leaves the approval out: %+v", p)
	}
	b.plan.Rehearsal = nil

	b.plan.Steps[0].Apply.Objects = release("2")
	clear(b.results)
	b.mustRun(t, "apply")
	if p := b.mustRun(t, "canary/0"); p.State != sluice.Waiting {
		t.Errorf("the second deployment does not wait for its approval: %+v", p)
	}
}

func TestSameVersionAgainChangesNothing(t *testing.T) {
	b := newBench().add("apply", applying(true, release("1")...)).add("promote", promoting())
	b.mustRun(t, "apply")
	was := b.account.Snapshot()
	if p := b.mustRun(t, "apply"); len(p.Changes) > 0 {
		t.Errorf("it reports %v", p.Changes)
	}
	b.mustRun(t, "promote")
	if diff := cmp.Diff(was, b.account.Snapshot()); diff != "" {
		t.Error(diff)
	}
}

func TestConfigurationAloneIsAChangeOfVersion(t *testing.T) {
	b := installed(t)
	objects := release("1")
	objects[1] = configMap("web", "new")
	b.plan.Steps[0].Apply.Objects = objects
	b.mustRun(t, "apply")
	if b.get(t, webCanary) == nil {
		t.Fatal("there is no canary")
	}
	b.mustRun(t, "promote")
	if b.get(t, webConfig).Text("data", "KEY") != "new" {
		t.Error("the configuration was not promoted")
	}
}

func TestSharedConfigurationIsAppliedAtOnce(t *testing.T) {
	b := installed(t)
	b.plan.Steps[0].Apply.Objects[3] = workload("StatefulSet", "db", "db:2", fromConfigMap("web"))
	b.mustRun(t, "apply")
	if b.get(t, webConfig).Text("data", "KEY") != "2" {
		t.Error("the StatefulSet's configuration was kept back")
	}
}

// A Job does not wait for promotion.
func TestConfigurationOfAJobIsAppliedAtOnce(t *testing.T) {
	b := installed(t)
	objects := &b.plan.Steps[0].Apply.Objects
	*objects = append(*objects, object("batch/v1", "Job", "migrate", map[string]any{"spec": map[string]any{"template": podTemplate("migrate", "migrate:2", fromConfigMap("web"))}}))
	b.mustRun(t, "apply")
	if b.get(t, webConfig).Text("data", "KEY") != "2" {
		t.Error("the Job's configuration was kept back")
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

// A Service that is narrowed to one Deployment's pods would keep the traffic from the other's.
func TestServiceOfTwoDeploymentsIsRefusedBeforehand(t *testing.T) {
	b := installed(t)
	b.account.DivideByPods()
	other := workload("Deployment", "spot", "web:2")
	other.Set("web", "spec", "template", "metadata", "labels", "app")
	b.plan.Steps[0].Apply.Objects = append(b.plan.Steps[0].Apply.Objects, other)
	vetter, ok := b.must(t, "apply").(interface{ Vet(context.Context) error })
	if !ok {
		t.Fatal("apply is not vetted")
	}
	if err := vetter.Vet(t.Context()); sluice.ErrorCode(err) != sluice.Unsupported || !strings.Contains(err.Error(), "Service/web sends traffic to Deployment/spot too") {
		t.Errorf("found %v", err)
	}
}

func TestUnreadyVersionFailsAndIsPutBack(t *testing.T) {
	for name, test := range map[string]struct {
		change func([]sluice.Object)
		says   string
	}{
		"canary": {func(o []sluice.Object) {
			o[4] = workload("Deployment", "web", "web:unready", fromConfigMap("web"))
		}, "Deployment/web-canary is not ready in time: 0 of 3 replicas ready"},
		"StatefulSet": {func(o []sluice.Object) {
			o[3] = workload("StatefulSet", "db", "db:unready")
		}, "StatefulSet/db is not ready in time: 0 of 3 replicas ready"},
		"a canary that cannot": {func(o []sluice.Object) {
			o[4] = workload("Deployment", "web", "web:broken", fromConfigMap("web"))
		}, "Deployment/web-canary cannot become ready: 0 of 3 replicas ready; CrashLoopBackOff"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := installed(t)
				was := b.account.Snapshot()
				test.change(b.plan.Steps[0].Apply.Objects)
				p, err := b.run(t, "apply")
				if sluice.ErrorCode(err) != sluice.Failed || !strings.Contains(err.Error(), test.says) ||
					!strings.Contains(err.Error(), "pod ") || !strings.Contains(err.Error(), "last words of") {
					t.Errorf("got %v", err)
				}
				if err := b.must(t, "apply").Undo(t.Context(), p); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(was, b.account.Snapshot()); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestWhatOthersChangedIsLeftAndNamed(t *testing.T) {
	b := installed(t)
	b.plan.Steps[0].Apply.Canary = false
	p := b.mustRun(t, "apply")
	b.account.Edit(webConfig, func(o sluice.Object) { o.Set("by hand", "data", "KEY") })
	for range 2 {
		err := b.must(t, "apply").Undo(t.Context(), p)
		if sluice.ErrorCode(err) != sluice.Conflict || !strings.Contains(err.Error(), "ConfigMap/web") {
			t.Errorf("got %v", err)
		}
		if b.get(t, webConfig).Text("data", "KEY") != "by hand" || imageIn(b.get(t, web)) != "web:1" {
			t.Errorf("after undo:\n%s", b.account.Snapshot())
		}
	}
}

func TestForeignObjectInTheCanarysPlace(t *testing.T) {
	b := installed(t)
	if _, _, err := b.account.Apply(t.Context(), workload("Deployment", "web-canary", "theirs:1"), false); err != nil {
		t.Fatal(err)
	}
	if _, err := b.run(t, "apply"); sluice.ErrorCode(err) != sluice.Conflict || !strings.Contains(err.Error(), "web-canary exists") {
		t.Errorf("got %v", err)
	}
}

func TestImageHoldsNoSecret(t *testing.T) {
	b := installed(t)
	preview, err := b.must(t, "apply").Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	raw := string(preview.Snapshot) + fmt.Sprint(preview.Changes)
	if !strings.Contains(raw, "db-login") {
		t.Fatal("the Secret is not in the image")
	}
	if strings.Contains(strings.ReplaceAll(raw, `sluice-sealed:\u003ccGFzcw==`, ""), "cGFzcw==") {
		t.Errorf("a secret is recorded in plain: %s", raw)
	}
}

func TestJobsRunAgainWhenTheyChange(t *testing.T) {
	migrate := func(image string) sluice.Object {
		return object("batch/v1", "Job", "migrate", map[string]any{"spec": map[string]any{"template": podTemplate("migrate", image)}})
	}
	b := newBench().add("apply", applying(false, migrate("migrate:1")))
	b.mustRun(t, "apply")
	b.plan.Steps[0].Apply.Objects = []sluice.Object{migrate("migrate:2")}
	b.mustRun(t, "apply")
	if got := imageIn(b.get(t, ref("batch/v1", "Job", "migrate"))); got != "migrate:2" {
		t.Errorf("the Job is %s", got)
	}
	b.plan.Steps[0].Apply.Objects = []sluice.Object{migrate("migrate:fails")}
	if _, err := b.run(t, "apply"); sluice.ErrorCode(err) != sluice.Failed || !strings.Contains(err.Error(), "Job/migrate") {
		t.Errorf("got %v", err)
	}
}

func TestRunJobFailureShowsItsLastLines(t *testing.T) {
	b := newBench().add("after/0", job("check:fails"))
	_, err := b.run(t, "after/0")
	if sluice.ErrorCode(err) != sluice.Failed || !strings.Contains(err.Error(), "last words of check-") || !strings.Contains(err.Error(), "ended with status 1") {
		t.Errorf("got %v", err)
	}
}

// A denier takes no more writes of one object.
type denier struct {
	*steptest.Account
	ref sluice.Ref
}

func (d denier) Apply(ctx context.Context, o sluice.Object, dryRun bool) (sluice.Object, sluice.Outcome, error) {
	if !dryRun && o.Ref() == d.ref {
		return nil, "", sluice.Errorf(sluice.Denied, "%s is not to be written", d.ref)
	}
	return d.Account.Apply(ctx, o, dryRun)
}

func (d denier) Restore(ctx context.Context, was sluice.Object, dryRun bool) (sluice.Object, sluice.Outcome, error) {
	return d.Apply(ctx, was, dryRun)
}

func (d denier) Abilities() sluice.Account {
	a := d.Account.Abilities()
	a.ClusterWriter = d
	return a
}

// One object that cannot be put back does not keep the others from it.
func TestUndoPutsBackWhatItCan(t *testing.T) {
	config := func(name, value string) sluice.Object {
		return object("v1", "ConfigMap", name, map[string]any{"data": map[string]any{"KEY": value}})
	}
	b := newBench(config("a", "1"), config("b", "1"), config("c", "1"))
	b.add("apply", sluice.StepSpec{Kind: sluice.KindApply, Apply: &sluice.Apply{Objects: []sluice.Object{config("a", "2"), config("b", "2"), config("c", "2")}}})
	p := b.mustRun(t, "apply")
	b.deps.Accounts["cluster"] = denier{b.account, config("b", "").Ref()}.Abilities()
	if err := b.must(t, "apply").Undo(t.Context(), p); sluice.ErrorCode(err) != sluice.Denied || !strings.Contains(err.Error(), "ConfigMap/b") {
		t.Errorf("undo: %v", err)
	}
	for name, want := range map[string]string{"a": "1", "b": "2", "c": "1"} {
		if got := b.get(t, config(name, "").Ref()).Text("data", "KEY"); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// What came about while Sluice was away for longer than the step may take has come about.
func TestWhatEndedDuringAnOutageIsSeen(t *testing.T) {
	for image, code := range map[string]sluice.Code{"check:1": "", "check:fails": sluice.Failed} {
		b := newBench().add("after/0", job(image))
		s := b.must(t, "after/0")
		preview, err := s.Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		p, err := s.Start(t.Context(), sluice.Progress{Snapshot: preview.Snapshot})
		if err != nil {
			t.Fatal(err)
		}
		b.now = b.now.Add(time.Hour)
		p.Snapshot = preview.Snapshot
		if p, err = b.must(t, "after/0").Observe(t.Context(), p); sluice.ErrorCode(err) != code || err == nil && p.State != sluice.Done {
			t.Errorf("%s: %s, %v", image, p.State, err)
		}
		if err != nil && !strings.Contains(err.Error(), "ended with status 1") {
			t.Errorf("%s: %v", image, err)
		}
	}
}

// Undo of apply alone, as after a crash that lost a weight, leaves no traffic on pods that go.
func TestUndoTakesTheTrafficFirst(t *testing.T) {
	b := installed(t)
	p := b.mustRun(t, "apply")
	b.mustRun(t, "canary/1")
	b.account.AfterWrite(func() {
		if n := b.serving(t); n < 3 {
			t.Errorf("only %d ready pods serve at %d %%", n, b.account.Weight(namespace, "web"))
		}
	})
	if err := b.must(t, "apply").Undo(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}

// While the stable pods still start, the canary carries the traffic; it goes only after the shift.
func TestPromoteWaitsBehindTheCanary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := installed(t)
		b.plan.Steps[0].Apply.Objects[4] = workload("Deployment", "web", "web:slow", fromConfigMap("web"))
		began := time.Now()
		b.mustRun(t, "apply")
		if took := time.Since(began); took != steptest.SlowStart {
			t.Errorf("apply took %s: it did not wait for its canary", took)
		}
		b.mustRun(t, "canary/1")
		b.account.AfterWrite(func() {
			stable := b.get(t, web)
			updated := stable.Number(0, "status", "observedGeneration") == stable.Number(0, "metadata", "generation")
			if !updated && b.account.Weight(namespace, "web") != 100 {
				t.Errorf("%d %% goes to the canary while the stable pods change", b.account.Weight(namespace, "web"))
			}
			if b.get(t, webCanary) == nil && b.account.Weight(namespace, "web") != 0 {
				t.Error("the canary went with traffic on it")
			}
		})
		b.mustRun(t, "promote")
	})
}

// Pods whose version does not change keep the delivery that brought them, so that nothing restarts.
func TestUnchangedPodsKeepTheirDelivery(t *testing.T) {
	b := newBench()
	b.add("install", applying(true, release("1")...))
	b.mustRun(t, "install")
	was := b.get(t, web)
	b.plan.Application = "another"
	if preview, err := b.must(t, "install").Check(t.Context()); err != nil || len(preview.Changes) > 0 {
		t.Errorf("the same release again changes %v (%v)", preview.Changes, err)
	}
	scaled := release("1")
	scaled[4].Set(int64(5), "spec", "replicas")
	b.plan.Steps = nil
	b.add("apply", applying(true, scaled...))
	b.mustRun(t, "apply")
	now := b.get(t, web)
	if now.Number(0, "spec", "replicas") != 5 || b.get(t, webCanary) != nil {
		t.Errorf("a change of size alone made it %v", now)
	}
	if diff := cmp.Diff(was.Field("spec", "template"), now.Field("spec", "template")); diff != "" {
		t.Errorf("its pods changed: %s", diff)
	}
	if got := now.Text("spec", "template", "metadata", "annotations", "deploy.armory.io/application"); got != "shop" {
		t.Errorf("its pods belong to %q", got)
	}
}

// What a Job's pods write is shown while they write it.
func TestJobIsHeard(t *testing.T) {
	b := newBench().add("after/0", job("check:1"))
	var mu sync.Mutex
	var heard []string
	planned, _ := b.plan.Step("production/after/0")
	s, err := step.New(b.deps).New(sluice.StepContext{
		Deployment: deployment, StartedAt: noon, Plan: b.plan, Step: planned,
		Target: sluice.PlannedTarget{Name: "production", Account: "cluster", Namespace: namespace},
		Report: func(p sluice.Progress) {
			mu.Lock()
			defer mu.Unlock()
			heard = append(heard, p.Message)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	preview, err := s.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Start(t.Context(), sluice.Progress{Snapshot: preview.Snapshot})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Observe(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if !slices.ContainsFunc(heard, func(m string) bool { return strings.Contains(m, ": a line of check-") }) {
		t.Errorf("heard %q", heard)
	}
}
