package data_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
)

// A scene is a step whose every call is once the last one of its process.
type scene struct {
	make func(t *testing.T) (*world, func() sluice.Step)
}

// inCluster returns the scene in a cluster, where the work of movers outlives the process that began it.
func (sc scene) inCluster() scene {
	return scene{func(t *testing.T) (*world, func() sluice.Step) {
		w, step := sc.make(t)
		w.cluster, w.outlives = true, true
		return w, step
	}}
}

func scenes() map[string]scene {
	return map[string]scene{
		"checkpoint": {func(t *testing.T) (*world, func() sluice.Step) {
			w := newWorld(t)
			w.deploy("prod", "db:1", abc())
			return w, func() sluice.Step { return w.step("d1", "prod", checkpointing(1), nil) }
		}},
		"checkpoint of what is quiesced": {func(t *testing.T) (*world, func() sluice.Step) {
			w := newWorld(t)
			w.deploy("prod", "db:1", abc())
			return w, func() sluice.Step { return w.step("d1", "prod", quiescing(), nil) }
		}},
		"checkpoint of what is locked": {func(t *testing.T) (*world, func() sluice.Step) {
			w := lockable(t)
			return w, func() sluice.Step { return w.step("d1", "prod", locking(), nil) }
		}},
		"checkpoint of what must be stopped": {func(t *testing.T) (*world, func() sluice.Step) {
			w := newWorld(t)
			w.deploy("prod", "db:1", abc())
			w.idle = true
			return w, func() sluice.Step { return w.step("d1", "prod", stopping(), nil) }
		}},
		"migrate from what must be stopped": {func(t *testing.T) (*world, func() sluice.Step) {
			w := newWorld(t)
			w.deploy("prod", "db:1", abc())
			w.deploy("staging", "db:2", documents{"old": "data"})
			w.idle = true
			spec := migrating()
			spec.MigrateData.Spec.Quiesce.Mode = "stop"
			return w, func() sluice.Step { return w.step("d1", "staging", spec, nil) }
		}},
		"migrate": {func(t *testing.T) (*world, func() sluice.Step) {
			w := newWorld(t)
			w.deploy("prod", "db:1", abc())
			w.deploy("staging", "db:2", documents{"old": "data"})
			return w, func() sluice.Step { return w.step("d1", "staging", migrating(), nil) }
		}},
		"checkpoint in the storage": {func(t *testing.T) (*world, func() sluice.Step) {
			w := newWorld(t).keeping()
			w.deploy("prod", "db:1", abc())
			return w, func() sluice.Step { return w.step("d1", "prod", checkpointing(1), nil) }
		}},
		"migrate in the storage": {func(t *testing.T) (*world, func() sluice.Step) {
			w := newWorld(t).keeping()
			w.deploy("prod", "db:1", abc())
			w.deploy("staging", "db:2", documents{"old": "data"})
			return w, func() sluice.Step { return w.step("d1", "staging", migrating(), nil) }
		}},
		"migrate masked in the storage": {func(t *testing.T) (*world, func() sluice.Step) {
			w := newWorld(t).keeping()
			w.deploy("prod", "db:1", abc())
			w.deploy("staging", "db:2", documents{"old": "data"})
			w.traffic = onlyMasked(w)
			return w, func() sluice.Step { return w.step("d1", "staging", maskedMigrating(), nil) }
		}},
		"restore in the storage": {func(t *testing.T) (*world, func() sluice.Step) {
			w := newWorld(t).keeping()
			w.deploy("prod", "db:1", abc())
			p := must(t, w.step("d1", "prod", checkpointing(0), nil))
			w.now = w.now.Add(time.Minute)
			w.live("prod")["d"] = "4"
			results := map[sluice.StepID]sluice.Result{"prod/before/0": *p.Result}
			return w, func() sluice.Step {
				return w.step("d1", "prod", restoring(&sluice.AllowDataLoss{Writes: 1}), results)
			}
		}},
		"migrate into nothing": {func(t *testing.T) (*world, func() sluice.Step) {
			w := newWorld(t)
			w.deploy("prod", "db:1", abc())
			w.objects[sluice.Ref{APIVersion: "v1", Kind: "Namespace", Name: "staging"}] = sluice.Object{"kind": "Namespace"}
			return w, func() sluice.Step { return w.step("d1", "staging", migrating(), nil) }
		}},
		"migrate with precautions": {func(t *testing.T) (*world, func() sluice.Step) {
			w := watched(t)
			return w, func() sluice.Step { return w.step("d1", "staging", cautious(), nil) }
		}},
		"migrate masked": {func(t *testing.T) (*world, func() sluice.Step) {
			w := newWorld(t)
			w.deploy("prod", "db:1", abc())
			w.deploy("staging", "db:2", documents{"old": "data"})
			w.traffic = onlyMasked(w)
			return w, func() sluice.Step { return w.step("d1", "staging", maskedMigrating(), nil) }
		}},
		"migrate two claims": {func(t *testing.T) (*world, func() sluice.Step) {
			w := newWorld(t)
			w.deploy("prod", "db:1", abc())
			w.second("prod", documents{"log": "new"})
			w.deploy("staging", "db:2", documents{"old": "data"})
			w.second("staging", documents{"log": "old"})
			spec := migrating()
			spec.MigrateData.Spec.Claims = twoClaims
			return w, func() sluice.Step { return w.step("d1", "staging", spec, nil) }
		}},
		"restore two claims": {func(t *testing.T) (*world, func() sluice.Step) {
			w := newWorld(t)
			w.deploy("prod", "db:1", abc())
			w.second("prod", documents{"log": "old"})
			spec := checkpointing(0)
			spec.CheckpointData.Spec.Claims = twoClaims
			p := must(t, w.step("d1", "prod", spec, nil))
			w.live("prod")["d"] = "4"
			w.second("prod", documents{"log": "new"})
			spec = restoring(&sluice.AllowDataLoss{Writes: 1})
			spec.RestoreData.Spec.Claims = twoClaims
			results := map[sluice.StepID]sluice.Result{"prod/before/0": *p.Result}
			return w, func() sluice.Step { return w.step("d1", "prod", spec, results) }
		}},
		"verify": {func(t *testing.T) (*world, func() sluice.Step) {
			w, results := checkpointed(t)
			w.live("prod")["d"] = "4"
			return w, func() sluice.Step { return w.step("d1", "prod", verifying("loss"), results) }
		}},
		"restore": {func(t *testing.T) (*world, func() sluice.Step) {
			w, results := checkpointed(t)
			w.live("prod")["d"] = "4"
			return w, func() sluice.Step {
				return w.step("d1", "prod", restoring(&sluice.AllowDataLoss{Writes: 1}), results)
			}
		}},
	}
}

var twoClaims = []string{"mongo-data", "mongo-log"}

// second puts another claim with these documents beside the one of the database.
func (w *world) second(namespace string, content documents) {
	o := sluice.Object{"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
	o.Set("mongo-log", "metadata", "name")
	o.Set(namespace, "metadata", "namespace")
	o.Set([]any{"ReadWriteOnce"}, "spec", "accessModes")
	if _, _, err := w.Apply(w.t.Context(), o, false); err != nil {
		w.t.Fatal(err)
	}
	c := w.volume(namespace, "mongo-log")
	c.generations[c.current] = content
}

// TestKilledAtEveryCall: whatever call was a process's last one, before its effect or after it, the next start
// ends as if nothing had happened, and so does the next undo.
func TestKilledAtEveryCall(t *testing.T) {
	for name, sc := range scenes() {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, here, after the effect %t", name, after), func(t *testing.T) {
				killAtEveryCall(t, sc, after)
			})
			t.Run(fmt.Sprintf("%s, in a cluster, after the effect %t", name, after), func(t *testing.T) {
				killAtEveryCall(t, sc.inCluster(), after)
			})
		}
	}
}

func killAtEveryCall(t *testing.T, sc scene, after bool) {
	w, step := sc.make(t)
	initial := w.state()
	preview, err := step().Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := sluice.Progress{Snapshot: preview.Snapshot}
	if err := drive(t.Context(), step(), &p); err != nil {
		t.Fatal(err)
	}
	done, records := w.state(), w.records()
	finished := w.fork(t)
	if err := step().Finish(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	leavesNothing(t, "finish", w)
	w.restore(finished)
	undo(t, "undo", w, step(), p)
	same(t, "undo", initial, w.state())
	for n := 1; !startKilled(t, sc, n, after, done, records, initial); n++ {
	}
	for n := 1; !undoKilled(t, sc, n, after, initial); n++ {
	}
}

// undo never copies, and leaves neither work nor a copy that nothing lists.
func undo(t *testing.T, what string, w *world, s sluice.Step, p sluice.Progress) {
	t.Helper()
	copied := w.copied
	if err := s.Undo(t.Context(), p); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if w.copied > copied {
		t.Fatalf("%s: it copied %d times", what, w.copied-copied)
	}
	leavesNothing(t, what, w)
}

func leavesNothing(t *testing.T, what string, w *world) {
	t.Helper()
	if len(w.work) > 0 {
		t.Fatalf("%s: work of the mover is left: %v", what, w.work)
	}
	if len(w.retained) > 0 {
		t.Fatalf("%s: something is left of the cuts %v", what, w.retained)
	}
	for id := range w.copies {
		if _, listed := w.catalogue[sluice.CheckpointID(id)]; !listed {
			t.Fatalf("%s: the copy %s is left, listed by nothing", what, id)
		}
	}
}

func same(t *testing.T, what string, want, got map[string]string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s:\n%s", what, diff)
	}
}

// dying runs call and kills its process at the nth effect from now. It reports whether call was over before.
func dying(t *testing.T, w *world, n int, after bool, call func(context.Context) error) (over bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w.dieAt, w.after, w.cancel = w.calls+n, after, cancel
	err := call(ctx)
	over = !w.dead
	w.dieAt, w.dead = 0, false
	if over && err != nil {
		t.Fatal(err)
	}
	return over
}

func startKilled(t *testing.T, sc scene, n int, after bool, done, records, initial map[string]string) bool {
	t.Helper()
	w, step := sc.make(t)
	preview, err := step().Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := sluice.Progress{Snapshot: preview.Snapshot}
	over := dying(t, w, n, after, func(ctx context.Context) error { return drive(ctx, step(), &p) })
	half, end := w.fork(t), p
	if err = drive(t.Context(), step(), &end); err != nil || end.State != sluice.Done {
		t.Fatalf("killed at call %d, started again: %s %v", n, end.State, err)
	}
	same(t, "killed and started again", done, w.state())
	same(t, "its records", records, w.records())
	w.restore(half)
	undo(t, fmt.Sprintf("killed at call %d, undone", n), w, step(), p)
	same(t, "killed and undone", initial, w.state())
	return over
}

func undoKilled(t *testing.T, sc scene, n int, after bool, initial map[string]string) bool {
	t.Helper()
	w, step := sc.make(t)
	p, err := begin(t, step())
	if err != nil {
		t.Fatal(err)
	}
	over := dying(t, w, n, after, func(ctx context.Context) error { return step().Undo(ctx, p) })
	undo(t, fmt.Sprintf("undo killed at call %d, undone again", n), w, step(), p)
	same(t, "undo killed and repeated", initial, w.state())
	return over
}
