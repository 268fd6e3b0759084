package step_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
)

// slowly is a bench on which pods start slowly, the numbers of pods divide the traffic, and the plan goes to 75 %.
func slowly(t *testing.T) *bench {
	t.Helper()
	b := newBench()
	b.account.DivideByPods()
	b.add("install", applying(true, configMap("web", "1"), service("web"),
		workload("Deployment", "web", "web:1-slow", fromConfigMap("web"))))
	b.mustRun(t, "install")
	b.plan.Steps = nil
	next := applying(true, configMap("web", "2"), service("web"),
		workload("Deployment", "web", "web:2-slow", fromConfigMap("web")))
	return b.add("apply", next).add("canary/0", weight(10)).add("canary/1", weight(75)).add("promote", promoting())
}

// whole fails the test whenever fewer than three pods are ready.
func (b *bench) whole(t *testing.T) {
	b.account.AfterWrite(func() {
		ready := 0
		for _, r := range []sluice.Ref{web, webCanary} {
			o, err := b.account.Get(t.Context(), r)
			if sluice.ErrorCode(err) == sluice.Unavailable {
				return
			}
			if err == nil {
				ready += min(o.Number(0, "status", "readyReplicas"), o.Number(0, "spec", "replicas"))
			}
		}
		if ready < 3 {
			t.Errorf("only %d pods are ready:\n%s", ready, b.account.Snapshot())
		}
	})
}

// cutOff calls f, which the account leaves after n writes, a second before it is back.
func (b *bench) cutOff(t *testing.T, n int, f func() error) {
	t.Helper()
	restart := b.account.Crash(n)
	err := f()
	if !restart() {
		t.Fatalf("it did not come to write %d: %v", n, err)
	}
	time.Sleep(time.Second)
}

// A weight whose pods were asked for before a crash is not there yet: no traffic moves until they are ready, and no old
// pod is stopped.
func TestResumedWeightWaitsForThePodsOfBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := slowly(t)
		b.mustRun(t, "apply")
		b.mustRun(t, "canary/0")
		b.whole(t)
		b.cutOff(t, 1, func() error { _, err := b.run(t, "canary/1"); return err })
		b.mustRun(t, "canary/1")
		if stable, canary := b.account.Serving(namespace, "web"); stable != 1 || canary != 3 {
			t.Errorf("%d old and %d new pods serve", stable, canary)
		}
		if n := b.get(t, web).Number(0, "status", "readyReplicas"); n != 3 {
			t.Errorf("%d old pods are left", n)
		}
	})
}

// On the way back the same holds for the old pods.
func TestResumedUndoOfAWeightWaitsForThePodsOfBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := slowly(t)
		b.mustRun(t, "apply")
		b.mustRun(t, "canary/0")
		p := b.mustRun(t, "canary/1")
		b.whole(t)
		undo := func() error { return b.must(t, "canary/1").Undo(t.Context(), p) }
		b.cutOff(t, 1, undo)
		if err := undo(); err != nil {
			t.Fatal(err)
		}
		if n := b.get(t, webCanary).Number(0, "spec", "replicas"); n != 1 {
			t.Errorf("%d new pods are left", n)
		}
	})
}

// A call after a crash says of every object that was absent before that it was made: a rollback deletes it by that.
func TestResumedApplySaysWhatItMadeBeforeACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench().add("apply", applying(false, configMap("one", "1"), configMap("two", "1")))
		var p sluice.Progress
		b.cutOff(t, 1, func() (err error) { p, err = b.run(t, "apply"); return err })
		p, err := b.must(t, "apply").Start(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		want := []sluice.Change{
			{Object: "ConfigMap/one", Outcome: sluice.Created}, {Object: "ConfigMap/two", Outcome: sluice.Created},
		}
		if diff := cmp.Diff(want, p.Changes); diff != "" {
			t.Errorf("the changes (-want +got):\n%s", diff)
		}
	})
}

// A new version that no longer gets ready does not keep the weights from going back.
func TestWeightsGoBackFromABrokenVersion(t *testing.T) {
	b := installed(t)
	b.account.DivideByPods()
	b.mustRun(t, "apply")
	b.mustRun(t, "canary/0")
	p := b.mustRun(t, "canary/1")
	b.account.Break("web:2")
	if err := b.must(t, "canary/1").Undo(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}

// An undo of promote that is cut off after each of its writes ends with the old version ready, and none beside it.
func TestResumedUndoOfPromoteWaitsForTheOldVersion(t *testing.T) {
	for n := 1; n <= 6; n++ {
		synctest.Test(t, func(t *testing.T) {
			b := slowly(t)
			b.mustRun(t, "apply")
			b.mustRun(t, "canary/0")
			b.mustRun(t, "canary/1")
			p := b.mustRun(t, "promote")
			b.whole(t)
			undo := func() error { return b.must(t, "promote").Undo(t.Context(), p) }
			b.cutOff(t, n, undo)
			if err := undo(); err != nil {
				t.Fatal(err)
			}
			o := b.get(t, web)
			seen := o.Number(0, "status", "observedGeneration") >= o.Number(0, "metadata", "generation")
			if imageIn(o) != "web:1-slow" || !seen {
				t.Errorf("cut off after write %d, web is not back:\n%v", n, o)
			}
		})
	}
}

// Of two Deployments one cannot be promoted. Undo gives both all their pods back, also the one that was only made
// smaller.
func TestHalfPromotedComesBackWhole(t *testing.T) {
	shop := func(version string) []sluice.Object {
		return []sluice.Object{service("api"), service("web"), workload("Deployment", "api", "api:"+version),
			workload("Deployment", "web", "web:"+version)}
	}
	b := newBench()
	b.account.DivideByPods()
	b.add("install", applying(true, shop("1")...)).mustRun(t, "install")
	was := b.account.Snapshot()
	b.plan.Steps = nil
	b.add("apply", applying(true, shop("2")...)).add("canary/0", weight(75)).add("promote", promoting())
	done := map[string]sluice.Progress{"apply": b.mustRun(t, "apply"), "canary/0": b.mustRun(t, "canary/0")}

	open := b.deps.Accounts["cluster"]
	b.deps.Accounts["cluster"] = denier{Account: b.account, ref: web, code: sluice.Denied}.Abilities()
	p, err := b.run(t, "promote")
	if sluice.ErrorCode(err) != sluice.Denied || imageIn(b.get(t, ref("apps/v1", "Deployment", "api"))) != "api:2" {
		t.Fatalf("got %v in\n%s", err, b.account.Snapshot())
	}
	done["promote"] = p
	b.deps.Accounts["cluster"] = open
	for _, id := range []string{"promote", "canary/0", "apply"} {
		if err := b.must(t, id).Undo(t.Context(), done[id]); err != nil {
			t.Fatalf("undo %s: %v", id, err)
		}
	}
	if diff := cmp.Diff(was, b.account.Snapshot()); diff != "" {
		t.Errorf("after undo (-want +got):\n%s", diff)
	}
}

// What the stable pods need may be the very thing that the release changed: it is put back whether they are ready or
// not. A canary that is all that serves stays.
func TestUndoWithoutAReadyStablePod(t *testing.T) {
	for name, canaryServes := range map[string]bool{"the canary serves": true, "nothing serves": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := installed(t)
				b.plan.Steps[0].Apply.Objects = append(b.plan.Steps[0].Apply.Objects, configMap("other", "2"))
				p := b.mustRun(t, "apply")
				b.account.Break("web:1")
				if !canaryServes {
					b.account.Break("web:2")
				}
				err := b.must(t, "apply").Undo(t.Context(), p)
				if b.get(t, ref("v1", "ConfigMap", "other")) != nil ||
					imageIn(b.get(t, ref("apps/v1", "StatefulSet", "db"))) != "db:1" {
					t.Errorf("the rest is not put back:\n%s", b.account.Snapshot())
				}
				if stands := b.get(t, webCanary) != nil; stands != canaryServes || (err != nil) != canaryServes {
					t.Errorf("the canary stands: %t, error %v", stands, err)
				}
			})
		})
	}
}
