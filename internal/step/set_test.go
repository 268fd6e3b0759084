package step_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/steptest"
)

// upgrading is a bench on which a StatefulSet of three runs, and whose plan brings its next version in thirds.
func upgrading(t *testing.T, change func(sluice.Object)) *bench {
	t.Helper()
	set := func(version string) sluice.Object {
		o := workload("StatefulSet", "db", "db:"+version)
		change(o)
		return o
	}
	b := newBench()
	b.add("install", applying(true, set("1")))
	b.mustRun(t, "install")
	b.plan.Steps = nil
	return b.add("apply", applying(true, set("2"))).add("canary/0", weight(33)).
		add("canary/1", weight(66)).add("canary/2", weight(100)).add("promote", promoting())
}

func (b *bench) updated(t *testing.T) []string {
	t.Helper()
	o := b.get(t, ref("apps/v1", "StatefulSet", "db"))
	pods, err := b.account.Pods(t.Context(), namespace)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range pods {
		if p.Revision == o.Text("status", "updateRevision") {
			names = append(names, p.Name)
		}
	}
	return names
}

// A gate stands between any two ordinals, whether the controller's order will do or the primary has to go last.
func TestStatefulSetChangesOrdinalByOrdinal(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(sluice.Object)
		want   [][]string
	}{
		"by partition": {func(sluice.Object) {}, [][]string{nil, {"db-2"}, {"db-1", "db-2"}, {"db-0", "db-1", "db-2"}}},
		"its primary last": {func(o sluice.Object) {
			o.Set("statefulset.kubernetes.io/pod-name=db-2", "metadata", "annotations", "sluice-cd.github.io/primary")
		}, [][]string{nil, {"db-1"}, {"db-0", "db-1"}, {"db-0", "db-1", "db-2"}}},
		"by nobody but us": {func(o sluice.Object) {
			o.Set("OnDelete", "spec", "updateStrategy", "type")
		}, [][]string{nil, {"db-2"}, {"db-1", "db-2"}, {"db-0", "db-1", "db-2"}}},
	} {
		t.Run(name, func(t *testing.T) {
			b := upgrading(t, tt.change)
			was := b.account.Snapshot()
			declared := b.get(t, ref("apps/v1", "StatefulSet", "db")).Field("spec", "updateStrategy")
			done := map[string]sluice.Progress{}
			steps := []string{"apply", "canary/0", "canary/1", "canary/2"}
			for i, id := range steps {
				done[id] = b.mustRun(t, id)
				if diff := cmp.Diff(tt.want[i], b.updated(t)); diff != "" {
					t.Errorf("after %s (-want +got):\n%s", id, diff)
				}
			}
			done["promote"] = b.mustRun(t, "promote")
			after := b.get(t, ref("apps/v1", "StatefulSet", "db"))
			if diff := cmp.Diff(declared, after.Field("spec", "updateStrategy")); diff != "" ||
				after.Text("metadata", "annotations", "sluice-cd.github.io/deployment") != "" {
				t.Errorf("after promotion it is held back still: %v", after)
			}
			for _, id := range slices.Backward(append(steps, "promote")) {
				if err := b.must(t, id).Undo(t.Context(), done[id]); err != nil {
					t.Fatalf("undo %s: %v", id, err)
				}
			}
			if diff := cmp.Diff(was, b.account.Snapshot()); diff != "" {
				t.Errorf("after undo (-want +got):\n%s", diff)
			}
			if got := b.updated(t); len(got) != 3 {
				t.Errorf("after undo only %v have the version of before", got)
			}
		})
	}
}

// A set whose size the file leaves to others keeps its pods' versions apart all the same.
func TestStatefulSetScaledByHand(t *testing.T) {
	b := upgrading(t, func(o sluice.Object) { delete(o["spec"].(map[string]any), "replicas") })
	if err := b.account.Scale(t.Context(), ref("apps/v1", "StatefulSet", "db"), 5); err != nil {
		t.Fatal(err)
	}
	b.mustRun(t, "apply")
	if got := b.updated(t); len(got) > 0 {
		t.Errorf("before any weight %v are new", got)
	}
}

func TestHeldStatefulSetConformance(t *testing.T) {
	for _, id := range []string{"apply", "canary/1", "promote"} {
		t.Run(id, func(t *testing.T) {
			steptest.Run(t, func(t *testing.T) steptest.World {
				b := upgrading(t, func(o sluice.Object) {
					o.Set("statefulset.kubernetes.io/pod-name=db-2", "metadata", "annotations", "sluice-cd.github.io/primary")
				})
				for _, before := range []string{"apply", "canary/0", "canary/1"} {
					if before == id {
						break
					}
					b.mustRun(t, before)
				}
				w := b.world(id)
				w.Keeps = id == "canary/1" // evicted pods are no objects, and stay as they are
				return w
			})
		})
	}
}

// A mute account's pods never answer a command.
type mute struct{ *steptest.Account }

func (mute) Exec(ctx context.Context, _, _ string, _ []string) (string, error) {
	<-ctx.Done()
	return "", sluice.Errorf(sluice.Unavailable, "no answer: %w", ctx.Err())
}

func TestPrimaryThatDoesNotAnswerFailsTheStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := upgrading(t, func(o sluice.Object) { o.Set("sleep infinity", "metadata", "annotations", sluice.PrimaryProbe) })
		account := b.account.Abilities()
		account.Host = mute{b.account}
		b.deps.Accounts["cluster"] = account
		b.mustRun(t, "apply")
		_, err := b.run(t, "canary/0")
		if sluice.ErrorCode(err) != sluice.Failed || !strings.Contains(err.Error(), "did not say within 10s") {
			t.Errorf("got %v", err)
		}
	})
}

// A stubborn account's pods come back as they were, however often they are evicted: their revision is never spelled as
// in the status of their set.
type stubborn struct{ *steptest.Account }

func (s stubborn) Pods(ctx context.Context, namespace string, of ...sluice.Ref) ([]sluice.Pod, error) {
	pods, err := s.Account.Pods(ctx, namespace, of...)
	for i := range pods {
		pods[i].Revision = strings.TrimPrefix(pods[i].Revision, "db-")
	}
	return pods, err
}

// A pod is evicted once, and one that comes back with a version that its set does not want is an error: evicting it
// again would never end.
func TestPodsAreEvictedOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		version string
		change  func(sluice.Object)
		act     func(t *testing.T, b *bench) error
		evicted []string
	}{
		"by a weight": {"db:2", func(o sluice.Object) { o.Set("OnDelete", "spec", "updateStrategy", "type") },
			func(t *testing.T, b *bench) error {
				b.mustRun(t, "apply")
				_, err := b.run(t, "canary/0")
				return err
			}, []string{"db-2"}},
		"by undo": {"db:broken", func(o sluice.Object) {
			if imageIn(o) == "db:1" {
				o.List("spec", "template", "spec", "containers")[0]["image"] = "db:slow"
			}
		}, func(t *testing.T, b *bench) error {
			p, err := b.run(t, "apply")
			if sluice.ErrorCode(err) != sluice.Failed {
				t.Errorf("the broken version is applied: %v", err)
			}
			go func() { // while the pods start again
				time.Sleep(time.Second)
				b.account.Amend(ref("apps/v1", "StatefulSet", "db"), func(o sluice.Object) {
					o.Set(int64(1), "status", "collisionCount")
				})
			}()
			return b.must(t, "apply").Undo(t.Context(), p)
		}, []string{"db-0", "db-1", "db-2"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := upgrading(t, tt.change)
				account := b.account.Abilities()
				account.Host = stubborn{b.account}
				b.deps.Accounts["cluster"] = account
				next := b.plan.Steps[0].Apply
				next.Canary = name == "by a weight"
				next.Objects[0].List("spec", "template", "spec", "containers")[0]["image"] = tt.version
				err := tt.act(t, b)
				if sluice.ErrorCode(err) != sluice.Failed || !strings.Contains(err.Error(), "was made anew and still has") {
					t.Errorf("got %v", err)
				}
				if diff := cmp.Diff(tt.evicted, b.account.Evicted()); diff != "" {
					t.Errorf("evicted (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// A pod below the partition keeps the version of before. If it is not ready, it is not evicted for that.
func TestPodsBelowThePartitionStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := upgrading(t, func(o sluice.Object) {
			o.Set(int64(2), "spec", "updateStrategy", "rollingUpdate", "partition")
		})
		apply := b.plan.Steps[0].Apply
		apply.Canary = false
		b.mustRun(t, "apply")
		b.account.Break("db:2")
		apply.Objects[0].List("spec", "template", "spec", "containers")[0]["image"] = "db:unready"
		if _, err := b.run(t, "apply"); sluice.ErrorCode(err) != sluice.Failed {
			t.Errorf("the unready version is applied: %v", err)
		}
		if got := b.account.Evicted(); len(got) > 0 {
			t.Errorf("evicted %v", got)
		}
	})
}

// A release that is undone half way replaces only the pods back that it had replaced, each once.
func TestUndoHalfWayReplacesEachPodOnce(t *testing.T) {
	for name, change := range map[string]func(sluice.Object){
		"its primary last": func(o sluice.Object) {
			o.Set("statefulset.kubernetes.io/pod-name=db-2", "metadata", "annotations", "sluice-cd.github.io/primary")
		},
		"on delete": func(o sluice.Object) { o.Set("OnDelete", "spec", "updateStrategy", "type") },
	} {
		t.Run(name, func(t *testing.T) {
			b := upgrading(t, change)
			apply := b.mustRun(t, "apply")
			first := b.mustRun(t, "canary/0")
			forward := slices.Clone(b.account.Evicted())
			if len(forward) != 1 {
				t.Fatalf("a third of the pods are %v", forward)
			}
			for _, err := range []error{
				b.must(t, "canary/0").Undo(t.Context(), first), b.must(t, "apply").Undo(t.Context(), apply),
			} {
				if err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(append(forward, forward...), b.account.Evicted()); diff != "" {
				t.Errorf("evicted (-want +got):\n%s", diff)
			}
		})
	}
}

// A DaemonSet that no node runs is ready, and plan and the steps say that nobody has tried it.
func TestDaemonSetWithoutNodes(t *testing.T) {
	daemon := func(image string) sluice.Object {
		o := workload("DaemonSet", "agent", image)
		delete(o["spec"].(map[string]any), "replicas")
		return o
	}
	seen := func(b *bench) {
		b.account.Amend(ref("apps/v1", "DaemonSet", "agent"), func(o sluice.Object) {
			o["status"] = map[string]any{
				"observedGeneration": o.Field("metadata", "generation"), "desiredNumberScheduled": int64(0),
				"currentNumberScheduled": int64(0), "updatedNumberScheduled": int64(0), "numberAvailable": int64(0),
			}
		})
	}
	b := newBench(daemon("agent:1"))
	seen(b)
	b.add("apply", applying(true, daemon("agent:2"))).add("canary/0", weight(50)).add("promote", promoting())
	preview, err := b.must(t, "apply").Check(t.Context())
	const want = "no node runs DaemonSet/agent"
	if err != nil || !strings.Contains(strings.Join(preview.Notes, "\n"), want) {
		t.Errorf("notes %v: %v", preview.Notes, err)
	}
	b.account.AfterWrite(func() {
		if o, err := b.account.Get(t.Context(), ref("apps/v1", "DaemonSet", "agent")); err == nil &&
			o.Number(0, "status", "observedGeneration") != o.Number(0, "metadata", "generation") {
			seen(b)
		}
	})
	for _, id := range []string{"apply", "canary/0"} {
		if p := b.mustRun(t, id); !strings.Contains(p.Message, want) {
			t.Errorf("%s says %q", id, p.Message)
		}
	}
}
