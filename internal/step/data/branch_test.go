package data_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/dataset"
	"github.com/sluice-cd/sluice/internal/service"
)

// branchable returns a world in a cluster with a checkpoint, after which production has gone on.
func branchable(t *testing.T) *world {
	w := exposed(t)
	w.outlives = true
	must(t, w.step("d1", "prod", checkpointing(0), nil))
	w.live("prod")["d"] = "4"
	return w
}

const taken = sluice.CheckpointID("d1-prod-before-1")

// branch makes the branch of the checkpoint in the namespace dev.
func (w *world) branch(ctx context.Context, name string) (sluice.Branch, error) {
	spec := restoring(nil)
	spec.RestoreData.Checkpoint = taken
	return w.step("branch", "dev", spec, nil).(service.Brancher).Branch(ctx, sluice.Branch{
		Name: name, Account: "local", Namespace: "dev", Application: "shop", Dataset: "orders", Target: "prod",
		Checkpoint: taken, Owner: "anna", MadeAt: w.now, Expires: w.now.Add(time.Hour),
	})
}

// temporaries returns what the account has of branches and scratches.
func (w *world) temporaries() []dataset.Temporary {
	w.t.Helper()
	list, err := dataset.Temporaries(w.t.Context(), sluice.Place{Name: "local", Account: w.abilities()})
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

func TestABranchHoldsTheCheckpointAndExpiresByItself(t *testing.T) {
	w := branchable(t)
	b, err := w.branch(t.Context(), "anna")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(abc(), w.live("dev")); diff != "" {
		t.Errorf("the branch holds:\n%s", diff)
	}
	in := func(apiVersion, kind, name string) sluice.Object {
		return w.objects[sluice.Ref{APIVersion: apiVersion, Kind: kind, Namespace: "dev", Name: name}]
	}
	if n := in("batch/v1", "Job", "sluice-expiry").Number(0, "spec", "activeDeadlineSeconds"); n != 60*60 {
		t.Errorf("the cluster deletes it after %d s", n)
	}
	if in("networking.k8s.io/v1", "NetworkPolicy", "sluice-isolation") == nil ||
		in("v1", "ResourceQuota", "sluice-limits") == nil {
		t.Error("the branch is not contained")
	}
	for _, o := range []sluice.Object{
		in("apps/v1", "StatefulSet", "mongo"), in("v1", "PersistentVolumeClaim", "mongo-data"), in("v1", "Secret", "login"),
	} {
		if owners := o.List("metadata", "ownerReferences"); len(owners) != 1 {
			t.Errorf("%s outlives the Job", o.Ref())
		}
	}
	list := w.temporaries()
	if len(list) != 1 || list[0].Branch == nil {
		t.Fatalf("listed are %v", list)
	}
	if diff := cmp.Diff(b, *list[0].Branch); diff != "" {
		t.Errorf("the namespace says:\n%s", diff)
	}
}

// What a step has masked is masked in every branch: nothing else of it is listed.
func TestABranchOfAMaskedCheckpointIsMasked(t *testing.T) {
	w := newWorld(t)
	w.deploy("prod", "db:1", abc())
	w.deploy("staging", "db:2", documents{})
	must(t, w.step("d1", "staging", maskedMigrating(), nil))
	for id := range w.catalogue {
		spec := restoring(nil)
		spec.RestoreData.Checkpoint = id
		if _, err := w.step("branch", "dev", spec, nil).(service.Brancher).Branch(t.Context(), sluice.Branch{
			Name: "anna", Account: "local", Namespace: "dev", Checkpoint: id, MadeAt: w.now, Expires: w.now.Add(time.Hour),
		}); err != nil {
			t.Fatal(err)
		}
	}
	want := documents{"a": maskPrefix + "1", "b": maskPrefix + "2", "c": maskPrefix + "3"}
	if diff := cmp.Diff(want, w.live("dev")); diff != "" || len(w.catalogue) != 1 {
		t.Errorf("of %d checkpoints the branch holds:\n%s", len(w.catalogue), diff)
	}
}

func TestABranchOverwritesNothing(t *testing.T) {
	w := branchable(t)
	w.deploy("dev", "db:1", documents{"of": "somebody"})
	before := w.state()
	_, err := w.branch(t.Context(), "anna")
	if sluice.ErrorCode(err) != sluice.Conflict || !strings.Contains(err.Error(), "the namespace dev of") {
		t.Errorf("the error is %v", err)
	}
	same(t, "refused", before, w.state())
}

func TestABranchThatExistsKeepsItsData(t *testing.T) {
	w := branchable(t)
	if _, err := w.branch(t.Context(), "anna"); err != nil {
		t.Fatal(err)
	}
	w.live("dev")["mine"] = "yes"
	if _, err := w.branch(t.Context(), "berta"); sluice.ErrorCode(err) != sluice.Conflict {
		t.Errorf("another name: %v", err)
	}
	if _, err := w.branch(t.Context(), "anna"); err != nil || w.live("dev")["mine"] != "yes" {
		t.Errorf("the same again: %v, %v", err, w.live("dev"))
	}
}

func TestABranchThatCannotBeMadeLeavesNothing(t *testing.T) {
	w := branchable(t)
	before := w.state()
	c := w.catalogue[taken]
	c.Copy.Snapshots = []string{"gone"}
	w.catalogue[taken] = c
	_, err := w.branch(t.Context(), "anna")
	if err == nil || !strings.Contains(err.Error(), "the copy of orders of prod: ") {
		t.Errorf("the error is %v", err)
	}
	same(t, "what is left", before, w.state())
}

// Whatever call was the last one of a process, the same command makes the branch complete, and so is it deleted.
func TestABranchKilledAtEveryCall(t *testing.T) {
	for _, after := range []bool{false, true} {
		t.Run(fmt.Sprintf("after the effect %t", after), func(t *testing.T) {
			w := branchable(t)
			initial := w.state()
			if _, err := w.branch(t.Context(), "anna"); err != nil {
				t.Fatal(err)
			}
			done := w.state()
			for n, over := 1, false; !over; n++ {
				w := branchable(t)
				over = dying(t, w, n, after, func(ctx context.Context) error {
					_, err := w.branch(ctx, "anna")
					return err
				})
				half := w.fork(t)
				if _, err := w.branch(t.Context(), "anna"); err != nil {
					t.Fatalf("killed at call %d, made again: %v", n, err)
				}
				same(t, fmt.Sprintf("killed at call %d, made again", n), done, w.state())
				w.restore(half)
				for _, left := range w.temporaries() {
					if err := left.Remove(t.Context(), w.tools()); err != nil {
						t.Fatalf("killed at call %d, deleted: %v", n, err)
					}
				}
				same(t, fmt.Sprintf("killed at call %d, deleted", n), initial, w.state())
				leavesNothing(t, "deleted", w)
			}
		})
	}
}

func (w *world) tools() dataset.Tools {
	return dataset.Tools{Movers: w.deps().Movers, Now: func() time.Time { return w.now }}
}

func TestABranchCanStayLonger(t *testing.T) {
	w := branchable(t)
	if _, err := w.branch(t.Context(), "anna"); err != nil {
		t.Fatal(err)
	}
	job := sluice.Ref{APIVersion: "batch/v1", Kind: "Job", Namespace: "dev", Name: "sluice-expiry"}
	w.now = w.now.Add(30 * time.Minute)
	if _, err := w.temporaries()[0].Extend(t.Context(), w.now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if n := w.objects[job].Number(0, "spec", "activeDeadlineSeconds"); n != 90*60 {
		t.Errorf("the cluster deletes it %d s after it was made", n)
	}
	if left := w.temporaries()[0]; left.IsExpired(w.now.Add(time.Hour)) || !left.IsExpired(w.now.Add(time.Hour+1)) {
		t.Errorf("it expires at %s", left.Expires)
	}
	delete(w.objects, job) // its deadline was over
	if _, err := w.temporaries()[0].Extend(t.Context(), w.now.Add(time.Hour)); sluice.ErrorCode(err) != sluice.Conflict {
		t.Errorf("after its end: %v", err)
	}
}
