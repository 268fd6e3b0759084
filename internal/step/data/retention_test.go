package data_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
)

func TestCheckpointsAreKeptAsManyAsWanted(t *testing.T) {
	w := newWorld(t)
	w.deploy("prod", "db:1", abc())
	for _, d := range []sluice.DeploymentID{"d1", "d2", "d3", "d4"} {
		w.now = w.now.Add(time.Hour)
		must(t, w.step(d, "prod", checkpointing(2), nil))
	}
	want := map[sluice.CheckpointID]bool{"d3-prod-before-1": true, "d4-prod-before-1": true}
	got := map[sluice.CheckpointID]bool{}
	for id := range w.catalogue {
		got[id] = true
	}
	if diff := cmp.Diff(want, got); diff != "" || len(w.copies) != 2 {
		t.Errorf("kept:\n%s and %d copies", diff, len(w.copies))
	}
}

// What is too old and cannot be deleted does not spoil what was just made; the next one tries again.
func TestACheckpointThatCannotBeDeletedIsSaid(t *testing.T) {
	w := newWorld(t)
	w.deploy("prod", "db:1", abc())
	must(t, w.step("d1", "prod", checkpointing(1), nil))
	w.now, w.clinging = w.now.Add(time.Hour), "d1-prod-before-1"
	p := must(t, w.step("d2", "prod", checkpointing(1), nil))
	if !strings.Contains(p.Message, "the disk is read-only") || len(w.catalogue) != 2 {
		t.Errorf("the step says %q, listed are %d", p.Message, len(w.catalogue))
	}
	w.now, w.clinging = w.now.Add(time.Hour), ""
	must(t, w.step("d3", "prod", checkpointing(1), nil))
	if len(w.catalogue) != 1 || len(w.copies) != 1 {
		t.Errorf("%d checkpoints and %d copies stay", len(w.catalogue), len(w.copies))
	}
}

func TestRetentionSparesWhatIsNeededAndWhatWasSavedAside(t *testing.T) {
	w := newWorld(t)
	w.deploy("prod", "db:1", abc())
	must(t, w.step("d1", "prod", checkpointing(1), nil))
	w.now = w.now.Add(time.Hour)
	spec := restoring(nil)
	spec.RestoreData.Checkpoint = "d1-prod-before-1"
	w.live("prod")["d"] = "4"
	spec.RestoreData.AllowDataLoss = &sluice.AllowDataLoss{Writes: 1}
	p := must(t, w.step("d2", "prod", spec, nil)) // as sluice data restore does, under the id of another step
	w.plan = []sluice.PlannedStep{{ID: "prod/onRollback/0", Target: "prod", StepSpec: spec}}
	for _, d := range []sluice.DeploymentID{"d3", "d4"} {
		w.now = w.now.Add(time.Hour)
		must(t, w.step(d, "prod", checkpointing(1), nil))
	}
	for _, id := range []sluice.CheckpointID{"d1-prod-before-1", p.Result.SavedAside, "d4-prod-before-1"} {
		if _, ok := w.catalogue[id]; !ok || w.copies[string(id)] == nil {
			t.Errorf("%s is gone", id)
		}
	}
	if _, ok := w.catalogue["d3-prod-before-1"]; ok {
		t.Error("what nobody needs was kept")
	}
}
