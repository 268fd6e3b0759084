package data_test

import (
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
)

// Which mover copies is decided by the plan, which says why, and is not decided again.
func TestThePlanChoosesTheMover(t *testing.T) {
	for name, c := range map[string]struct {
		world func(*world)
		named string
		want  string // "": it is refused
		says  string
	}{
		"same driver":        {func(*world) {}, "auto", "csi", "both ends use the driver disks in the account local, so no"},
		"nothing named":      {func(*world) {}, "", "csi", "is lost with it, which mover: kopia avoids"},
		"csi named":          {func(*world) {}, "csi", "csi", "no bytes move"},
		"kopia named":        {func(*world) {}, "kopia", "kopia", "as the file says"},
		"other driver":       {otherDriver, "auto", "kopia", "the driver disks in prod and shelves in staging"},
		"no snapshots":       {noSnapshots, "auto", "kopia", "mongo-data of prod has none, because its driver"},
		"no storage":         {func(w *world) { w.keeps = false }, "auto", "kopia", "the account local keeps none"},
		"csi, other driver":  {otherDriver, "csi", "", "the driver disks in prod and shelves in staging"},
		"csi, no snapshots":  {noSnapshots, "csi", "", "its driver takes no snapshots"},
		"csi, nothing keeps": {func(w *world) { w.keeps = false }, "csi", "", "the account local keeps none"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t).keeping()
			w.deploy("prod", "db:1", abc())
			w.deploy("staging", "db:2", documents{"old": "data"})
			c.world(w)
			spec := migrating()
			spec.MigrateData.Spec.Mover, spec.MigrateData.Spec.Quiesce.Mode = c.named, "stop"
			spec.MigrateData.Spec.Pos = sluice.Position{File: "deploy.yaml", Line: 7, Column: 3}
			s := w.step("d1", "staging", spec, nil)
			preview, err := s.Check(t.Context())
			if c.want == "" {
				if sluice.ErrorCode(err) != sluice.Unsupported || !strings.Contains(err.Error(), c.says) ||
					!strings.Contains(err.Error(), "deploy.yaml:7:3") || !strings.Contains(sluice.ErrorHint(err), "mover: kopia") {
					t.Errorf("%v; hint: %s", err, sluice.ErrorHint(err))
				}
				return
			}
			if err != nil || !strings.Contains(strings.Join(preview.Notes, "\n"), c.says) {
				t.Fatalf("the plan says %q: %v", preview.Notes, err)
			}
			w.drivers = map[string]string{"staging": "changed meanwhile"}
			p := sluice.Progress{Snapshot: preview.Snapshot}
			if err := drive(t.Context(), s, &p); err != nil {
				t.Fatal(err)
			}
			if got := w.catalogue[p.Result.Checkpoint].Copy.Mover; got != c.want {
				t.Errorf("%s has copied", got)
			}
		})
	}
}

func otherDriver(w *world) { w.drivers = map[string]string{"staging": "shelves"} }

func noSnapshots(w *world) { w.idle = true }

// A snapshot never leaves the account in which it is.
func TestACheckpointInTheStorageOfAnotherAccountIsRefused(t *testing.T) {
	w := newWorld(t).keeping()
	w.deploy("prod", "db:1", abc())
	p := must(t, w.step("d1", "prod", checkpointing(0), nil))
	c := w.catalogue[p.Result.Checkpoint]
	c.Account = "elsewhere"
	w.catalogue[c.ID] = c
	spec := restoring(nil)
	spec.RestoreData.Checkpoint = c.ID
	_, err := w.step("d2", "prod", spec, nil).Check(t.Context())
	if sluice.ErrorCode(err) != sluice.Invalid || !strings.Contains(err.Error(), "storage of the account elsewhere") ||
		!strings.Contains(sluice.ErrorHint(err), "mover: kopia") {
		t.Errorf("%v; hint: %s", err, sluice.ErrorHint(err))
	}
}

// What the storage keeps is deleted like every other copy. If its account is no longer that of the target, it stays
// listed.
func TestSnapshotsInTheStorageAreKeptAsManyAsWanted(t *testing.T) {
	w := newWorld(t).keeping()
	w.deploy("prod", "db:1", abc())
	for _, d := range []sluice.DeploymentID{"d1", "d2", "d3"} {
		w.now = w.now.Add(1)
		must(t, w.step(d, "prod", checkpointing(1), nil))
	}
	if len(w.copies) != 1 || w.copies["d3-prod-before-1"] == nil {
		t.Errorf("kept are %v", w.kept)
	}
	c := w.catalogue["d3-prod-before-1"]
	c.Account = "elsewhere"
	w.catalogue[c.ID] = c
	w.now = w.now.Add(1)
	p := must(t, w.step("d4", "prod", checkpointing(1), nil))
	if !strings.Contains(p.Message, "in the storage of the account elsewhere are not in reach") || len(w.catalogue) != 2 {
		t.Errorf("the step says %q, listed are %d", p.Message, len(w.catalogue))
	}
}
