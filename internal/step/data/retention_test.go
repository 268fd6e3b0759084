package data_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
)

func TestRestoreOfWhatIsQuiescedByCommands(t *testing.T) {
	w, results := checkpointed(t)
	w.live("prod")["d"] = "4"
	spec := restoring(&sluice.AllowDataLoss{Writes: 1})
	spec.RestoreData.Spec.Quiesce = sluice.Quiesce{Mode: "commands", Before: [][]string{{"lock"}}, After: [][]string{{"unlock"}}}
	must(t, w.step("d1", "prod", spec, results))
	if diff := cmp.Diff(abc(), w.live("prod")); diff != "" || len(w.execs) > 0 {
		t.Errorf("what is back:\n%s\nand in a workload that was stopped ran %q", diff, w.execs)
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

func TestRestoreTakesNoOtherDataset(t *testing.T) {
	for name, change := range map[string]func(*sluice.Checkpoint){
		"of another dataset": func(c *sluice.Checkpoint) { c.Dataset = "carts" },
		"with other claims":  func(c *sluice.Checkpoint) { c.Copy.Claims = []string{"mongo-log"} },
	} {
		t.Run(name, func(t *testing.T) {
			w, results := checkpointed(t)
			for id, c := range w.catalogue {
				change(&c)
				w.catalogue[id] = c
			}
			before := w.state()
			_, err := w.step("d1", "prod", restoring(nil), results).Check(t.Context())
			if sluice.ErrorCode(err) != sluice.Invalid || sluice.ErrorHint(err) == "" {
				t.Errorf("a checkpoint %s: %v", name, err)
			}
			if diff := cmp.Diff(before, w.state()); diff != "" {
				t.Errorf("it changed:\n%s", diff)
			}
		})
	}
}
