package portworx_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/steptest"
)

func TestRefusals(t *testing.T) {
	tests := map[string]struct {
		change func(*lab)
		code   sluice.Code
		want   string
	}{
		"other namespace": {func(l *lab) { l.move.To.Namespace = "staging" }, sluice.Invalid,
			"from the namespace shop into staging"},
		"same account": {func(l *lab) { l.move.To.Name = "prod" }, sluice.Invalid, "both are the account prod"},
		"no such pair": {func(l *lab) { l.move.Portworx.ClusterPair = "stag" }, sluice.NotFound,
			"there is no ClusterPair stag in the namespace shop of prod"},
		"pair elsewhere": {func(l *lab) { l.move.Portworx.Namespace = "portworx" }, sluice.NotFound,
			"there is no ClusterPair stage in the namespace portworx of prod"},
		"no Stork": {func(l *lab) { l.move.From.Account = steptest.NewAccount().Abilities() }, sluice.Unsupported,
			"the account prod has no ClusterPairs"},
		"pair without storage": {func(l *lab) {
			l.prod.Amend(pairWith("", "").Ref(), func(o sluice.Object) {
				o["status"] = pairWith("Ready", "NotProvided")["status"]
			})
		}, sluice.Failed, "its scheduler is Ready and its storage is NotProvided"},
		"pair that was never probed": {func(l *lab) {
			l.prod.Amend(pairWith("", "").Ref(), func(o sluice.Object) { delete(o, "status") })
		}, sluice.Failed, "its scheduler is not known"},
		"no claim": {func(l *lab) { l.move.Claims = nil }, sluice.Invalid, "there is no claim to move"},
		"no such claim": {func(l *lab) { l.move.Claims = []string{"order"} }, sluice.NotFound,
			"there is no claim order in the namespace shop of prod"},
		"pending claim": {func(l *lab) {
			l.prod.Amend(claim("orders"), func(o sluice.Object) { o.Set("Pending", "status", "phase") })
		}, sluice.Failed, "the claim orders in shop of prod is not bound"},
		"claim in use": {func(l *lab) {
			l.move.Workload = "StatefulSet/mongo"
			l.use("report")
		}, sluice.Conflict, "the claim orders in shop of stage is in use by the pod report of nobody"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, map[string]any{"app": "mongo"})
				test.change(l)
				before := l.state()
				_, err := l.migrator().Check(t.Context(), l.move)
				if sluice.ErrorCode(err) != test.code || !strings.Contains(err.Error(), test.want) {
					t.Errorf("it says %v", err)
				}
				if diff := cmp.Diff(before, l.state()); diff != "" {
					t.Errorf("it changed:\n%s", diff)
				}
			})
		})
	}
}

// use lets a pod use the claim at staging.
func (l *lab) use(name string) {
	l.Helper()
	pod := sluice.Object{"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"namespace": "shop", "name": name},
		"spec": map[string]any{"volumes": []any{
			map[string]any{"persistentVolumeClaim": map[string]any{"claimName": "orders"}}}}}
	if _, _, err := l.stage.Apply(l.Context(), pod, false); err != nil {
		l.Fatal(err)
	}
}

// A pod that came after Check is refused before anything changes.
func TestClaimInUseMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, map[string]any{"app": "mongo"})
		was := l.check()
		l.use("report")
		before := l.state()
		if err := l.run(was); sluice.ErrorCode(err) != sluice.Conflict {
			t.Errorf("it ended with %v", err)
		}
		if diff := cmp.Diff(before, l.state()); diff != "" {
			t.Errorf("it changed:\n%s", diff)
		}
	})
}

// Claims with labels that no other claim has are selected by them. Others get a label for the time of the move.
func TestSelector(t *testing.T) {
	for name, test := range map[string]struct {
		labels   map[string]any
		want     map[string]string
		labelled bool
	}{
		"their own": {map[string]any{"app": "mongo", "tier": "data"},
			map[string]string{"app": "mongo", "tier": "data"}, false},
		"those of another": {map[string]any{"app": "shop"}, map[string]string{"sluice-cd.github.io/move": "abc"}, true},
		"none":             {nil, map[string]string{"sluice-cd.github.io/move": "abc"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, test.labels)
				before := l.prod.Snapshot()
				was := l.check()
				if diff := cmp.Diff(test.want, was.Selector); diff != "" || was.Labelled != test.labelled {
					t.Errorf("it selects by %v", was.Selector)
				}
				var asked sluice.Object
				go l.play(t.Context(), tale{func(l *lab) { asked = l.get(l.prod, migration()) }, brings("orders", "journal"),
					becomes("Final", "Successful", both("Successful", "done")...)})
				if err := l.run(was); err != nil {
					t.Fatal(err)
				}
				if asked.Field("spec", "startApplications") != false || asked.Field("spec", "includeResources") != false {
					t.Errorf("it asked for %v", asked["spec"])
				}
				if err := l.migrator().Finish(t.Context(), l.move, was); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(before, l.prod.Snapshot()); diff != "" {
					t.Errorf("the source is not as it was:\n%s", diff)
				}
			})
		})
	}
}

// The volumes of staging keep their policy until a move, and its result replaces those of an earlier move.
func TestOverwritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, map[string]any{"app": "mongo"})
		if names := l.check().Overwritten(); names != nil {
			t.Errorf("%v are overwritten", names)
		}
		if err := l.stage.Delete(t.Context(), claim("orders")); err != nil {
			t.Fatal(err)
		}
		brings("orders", "journal")(l)
		synctest.Wait()
		was := l.check()
		if diff := cmp.Diff([]string{"orders", "journal"}, was.Overwritten()); diff != "" {
			t.Error(diff)
		}
	})
}

// A node may hold a volume although its last pod is gone.
func TestAttached(t *testing.T) {
	attachment := sluice.Object{"apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttachment",
		"metadata": map[string]any{"name": "csi-1"}, "spec": map[string]any{"nodeName": "node-1",
			"source": map[string]any{"persistentVolumeName": "pv-old"}}}
	for name, holds := range map[string]time.Duration{"for a minute": time.Minute, "for good": time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, map[string]any{"app": "mongo"})
				l.stage.Serve("storage.k8s.io/v1", "VolumeAttachment")
				if _, _, err := l.stage.Apply(t.Context(), attachment, false); err != nil {
					t.Fatal(err)
				}
				was := l.check()
				released := time.AfterFunc(holds, func() { _ = l.stage.Delete(context.Background(), attachment.Ref()) })
				defer released.Stop()
				go l.play(t.Context(), tale{brings("orders", "journal"),
					becomes("Final", "Successful", both("Successful", "done")...)})
				err := l.run(was)
				if !l.heard("waiting until the node node-1 lets go of pv-old") {
					t.Errorf("it said %v", l.said)
				}
				if holds == time.Minute && err != nil || holds == time.Hour && sluice.ErrorCode(err) != sluice.Conflict {
					t.Errorf("it ended with %v", err)
				}
			})
		})
	}
}

// Another process goes on with the move, whenever the first one was killed.
func TestKilledAfterEveryWrite(t *testing.T) {
	good := tale{becomes("Volumes", "InProgress", both("InProgress", moving)...),
		after(time.Second, becomes("Applications", "InProgress", both("Successful", "done")...)), brings("orders", "journal"),
		becomes("Final", "Successful", both("Successful", "done")...)}
	for name, end := range map[string]func(*lab, sluice.Moving) error{
		"finish": func(l *lab, was sluice.Moving) error { return l.migrator().Finish(l.Context(), l.move, was) },
		"undo":   (*lab).undo,
	} {
		for _, where := range []string{"prod", "stage"} {
			for n, crashed := 1, true; crashed; n++ {
				synctest.Test(t, func(t *testing.T) {
					l := newLab(t, nil)
					before := l.state()
					was := l.check()
					killed := map[string]*steptest.Account{"prod": l.prod, "stage": l.stage}[where]
					crashed = l.survive(killed, n, func() error { return l.run(was) }, good)
					crashed = l.survive(killed, n, func() error { return end(l, was) }, nil) || crashed
					if name == "finish" {
						l.finished()
						return
					}
					if diff := cmp.Diff(before, l.state()); diff != "" {
						t.Errorf("killed after write %d of %s, undo left:\n%s", n, where, diff)
					}
				})
			}
		}
	}
}

// survive calls f again if the account was away, as the engine does. Stork writes to it only while it is there.
func (l *lab) survive(a *steptest.Account, n int, f func() error, t tale) (crashed bool) {
	l.Helper()
	restart := a.Crash(n)
	ctx, cancel := context.WithCancel(l.Context())
	defer cancel()
	err := f()
	crashed = restart()
	go l.play(ctx, t)
	if crashed || err != nil {
		err = f()
	}
	if err != nil {
		l.Fatalf("write %d: %v", n, err)
	}
	return crashed
}
