package data_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step"
)

func TestCheckpointIsARecordNotAChange(t *testing.T) {
	w := newWorld(t)
	w.deploy("prod", "db:1", abc())
	before := w.state()
	s := w.step("d1", "prod", checkpointing(0), nil)
	p := must(t, s)
	if diff := cmp.Diff(before, w.state()); diff != "" {
		t.Errorf("the checkpoint changed the target:\n%s", diff)
	}
	c := w.catalogue[p.Result.Checkpoint]
	if c.ID != "d1-prod-before-1" || c.Image != "db:1" || documentsOf(c.Fingerprint) != 3 || c.Pause == 0 {
		t.Errorf("the checkpoint is %+v", c)
	}
	if strings.Contains(w.flat(c.Workload), "c2VzYW1l") {
		t.Error("the checkpoint holds a secret as it is")
	}
	if err := s.Undo(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if _, ok := w.catalogue[c.ID]; !ok {
		t.Error("undo took the checkpoint away")
	}
	live := w.live("prod")
	live["d"] = "4"
	if again := must(t, s); again.Result.Checkpoint != c.ID || documentsOf(w.catalogue[c.ID].Fingerprint) != 3 {
		t.Error("a repeated start made another checkpoint")
	}
}

func TestCheckpointNeedsItsClaims(t *testing.T) {
	w := newWorld(t)
	_, err := w.step("d1", "prod", checkpointing(0), nil).Check(t.Context())
	if sluice.ErrorCode(err) != sluice.NotFound || sluice.ErrorHint(err) == "" {
		t.Errorf("a claim that does not exist: %v", err)
	}
}

func TestCheckpointThatDoesNotOpenIsNotListed(t *testing.T) {
	w := newWorld(t)
	w.deploy("prod", "db:1", documents{"broken": "yes"})
	before := w.state()
	s := w.step("d1", "prod", checkpointing(0), nil)
	p, err := begin(t, s)
	if sluice.ErrorCode(err) != sluice.Failed || len(w.catalogue) != 0 {
		t.Errorf("a copy that does not open: %v, listed %v", err, w.catalogue)
	}
	if err := s.Undo(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, w.state()); diff != "" || len(w.copies) > 0 {
		t.Errorf("undo left:\n%s and the copies %v", diff, w.copies)
	}
}

// A copy stays if the repository is away. Nothing else stays.
func TestAnAccountIsCleanAlsoIfTheRepositoryIsAway(t *testing.T) {
	w := newWorld(t)
	w.deploy("prod", "db:1", documents{"broken": "yes"})
	before := w.state()
	s := w.step("d1", "prod", checkpointing(0), nil)
	p, err := begin(t, s)
	if sluice.ErrorCode(err) != sluice.Failed || len(w.copies) != 1 {
		t.Fatalf("a copy that does not open: %v, copies %v", err, w.copies)
	}
	for id := range w.copies {
		w.clinging = sluice.CheckpointID(id)
	}
	if err := s.Undo(t.Context(), p); err == nil {
		t.Error("nobody says that a copy is left")
	}
	same(t, "undo", before, w.state())
}

func TestQuiesceCommandsAlwaysEnd(t *testing.T) {
	w := newWorld(t)
	w.deploy("prod", "db:1", abc())
	s := w.step("d1", "prod", quiescing(), nil)
	delete(w.volumes, "prod/mongo-data")
	delete(w.objects, sluice.Ref{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: "prod", Name: "mongo-data"})
	if _, err := s.Start(t.Context(), sluice.Progress{}); err == nil {
		t.Fatal("a claim without content was cut")
	}
	if diff := cmp.Diff([]string{"mongo-0: lock", "mongo-0: unlock"}, w.execs); diff != "" {
		t.Error(diff)
	}
}

func TestAnAccountWithoutVolumesRefusesEveryDataStep(t *testing.T) {
	w := newWorld(t)
	d := w.deps()
	account := w.abilities()
	account.Volumes = nil
	d.Accounts = map[string]sluice.Account{"local": account}
	for _, spec := range []sluice.StepSpec{checkpointing(0), migrating(), verifying("loss"), restoring(nil)} {
		_, err := step.New(d).New(w.context("d1", "prod", spec, nil))
		if sluice.ErrorCode(err) != sluice.Unsupported || sluice.ErrorHint(err) == "" {
			t.Errorf("%s: %v", spec.Kind, err)
		}
	}
}
