package data_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/dataset"
)

// locking checkpoints two claims that get a snapshot each.
func locking() sluice.StepSpec {
	spec := checkpointing(1)
	spec.CheckpointData.Spec.Claims, spec.CheckpointData.Spec.Quiesce.Mode = twoClaims, dataset.QuiesceAuto
	return spec
}

func lockable(t *testing.T) *world {
	w := newWorld(t)
	w.deploy("prod", "db:1", abc())
	w.second("prod", documents{"log": "old"})
	w.snapshots, w.cluster = true, true
	return w
}

// Several snapshots are taken while the database is locked. The plan says so, and the pause counts.
func TestSeveralSnapshotsAreTakenUnderALock(t *testing.T) {
	w := lockable(t)
	w.cutting = func() {
		if !w.locked {
			t.Error("a claim is cut while the database is not locked")
		}
		w.now = w.now.Add(3 * time.Second)
	}
	s := w.step("d1", "prod", locking(), nil)
	preview, err := s.Check(t.Context())
	if want := "locks the database of prod while the 2 snapshots are taken: writes wait, for 30s at most"; err != nil ||
		!strings.Contains(fmt.Sprint(preview.Notes), want) {
		t.Errorf("the plan says %q, %v", preview.Notes, err)
	}
	p := must(t, s)
	if !strings.Contains(p.Message, "the source stood still for 3.001s") || w.locked {
		t.Errorf("locked %t; the step says %q", w.locked, p.Message)
	}
	preview, err = w.step("d2", "prod", locking(), nil).Check(t.Context())
	if err != nil || !strings.Contains(fmt.Sprint(preview.Notes), "the last time that took 3s") {
		t.Errorf("the next plan says %q, %v", preview.Notes, err)
	}
}

// One claim needs no lock, nor do claims of one snapshot, stopped workloads, and deploy files that want none.
func TestWhatNeedsNoLockIsNotLocked(t *testing.T) {
	for name, change := range map[string]func(*world, *sluice.Dataset){
		"one claim":  func(_ *world, d *sluice.Dataset) { d.Claims = d.Claims[:1] },
		"a group":    func(w *world, _ *sluice.Dataset) { w.grouped = true },
		"none":       func(_ *world, d *sluice.Dataset) { d.Quiesce.Mode = "none" },
		"commands":   func(_ *world, d *sluice.Dataset) { d.Quiesce = byCommands() },
		"stop":       func(_ *world, d *sluice.Dataset) { d.Quiesce.Mode = dataset.QuiesceStop },
		"no cluster": func(w *world, _ *sluice.Dataset) { w.snapshots = false },
	} {
		t.Run(name, func(t *testing.T) {
			w := lockable(t)
			w.unlockable = sluice.Unsupported
			spec := locking()
			change(w, &spec.CheckpointData.Spec)
			w.cutting = func() {
				if stops := spec.CheckpointData.Spec.Quiesce.Mode == dataset.QuiesceStop; stops && w.running("prod") {
					t.Error("the workload runs while it is cut")
				}
			}
			must(t, w.step("d1", "prod", spec, nil))
		})
	}
}

// A server that cannot be locked is refused by the plan and by the step, with what else can be done.
func TestAServerWithoutALockIsRefusedWithTheChoices(t *testing.T) {
	for _, code := range []sluice.Code{sluice.Unsupported, sluice.Denied} {
		w := lockable(t)
		before := w.state()
		w.unlockable = code
		s := w.step("d1", "prod", locking(), nil)
		_, planned := s.Check(t.Context())
		_, begun := s.Start(t.Context(), sluice.Progress{})
		for _, err := range []error{planned, begun} {
			for _, choice := range []string{"quiesce: none", "quiesce: stop", "commands"} {
				if sluice.ErrorCode(err) != code || !strings.Contains(sluice.ErrorHint(err), choice) {
					t.Errorf("%v (%s), hint %q", err, sluice.ErrorCode(err), sluice.ErrorHint(err))
				}
			}
		}
		undo(t, "undo", w, s, sluice.Progress{})
		same(t, "undo", before, w.state())
	}
}

// What was cut under a lock that ended early is not used.
func TestACutWhoseLockEndedIsDiscarded(t *testing.T) {
	w := lockable(t)
	w.lost = sluice.Errorf(sluice.Unavailable, "the lock has ended")
	before := w.state()
	s := w.step("d1", "prod", locking(), nil)
	if _, err := s.Start(t.Context(), sluice.Progress{}); sluice.ErrorCode(err) != sluice.Unavailable {
		t.Errorf("the step accepts it: %v", err)
	}
	same(t, "its end", before, w.state())
	w.lost = nil
	if p, err := s.Start(t.Context(), sluice.Progress{}); err != nil || p.State != sluice.Done || w.cuts != 2 {
		t.Errorf("tried again: %s, %v after %d cuts", p.State, err, w.cuts)
	}
}

// A snapshot that an interrupted call has taken of one claim is of another instant than that of the other claim.
func TestSnapshotsOfAnInterruptedCutAreTakenAgain(t *testing.T) {
	for _, mode := range []string{dataset.QuiesceAuto, "none", dataset.QuiesceStop} {
		w := lockable(t)
		w.volume("prod", "mongo-log").generations["cut-"+dataset.Key("d1", "prod/before/1")] = documents{"log": "older"}
		spec := locking()
		spec.CheckpointData.Spec.Quiesce.Mode = mode
		p := must(t, w.step("d1", "prod", spec, nil))
		if diff := cmp.Diff(documents{"log": "old"}, w.copies[string(p.Result.Checkpoint)][1]); diff != "" {
			t.Errorf("quiesce: %s: the copy of the second claim:\n%s", mode, diff)
		}
	}
}
