package data_test

import (
	"context"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/dataset"
)

func TestRestorePutsBackAndSavesAside(t *testing.T) {
	w, results := checkpointed(t)
	live := w.live("prod")
	delete(live, "b")
	live["d"] = "4"
	damaged := maps.Clone(live)
	before := w.state()
	w.traffic = func(namespace, _ string) {
		if namespace == "prod" {
			w.live("prod")["e"] = "5" // users come back at once
		}
	}
	s := w.step("d1", "prod", restoring(&sluice.AllowDataLoss{Writes: 2}), results)
	p := must(t, s)
	want := abc()
	want["e"] = "5"
	if diff := cmp.Diff(want, w.live("prod")); diff != "" {
		t.Errorf("what is back:\n%s", diff)
	}
	aside := w.catalogue[p.Result.SavedAside]
	if diff := cmp.Diff([]documents{damaged}, w.copies[string(aside.ID)]); diff != "" {
		t.Errorf("saved aside:\n%s", diff)
	}
	if image := w.objects[mongoRef("prod")]; !strings.Contains(w.flat(image), "db:1") {
		t.Errorf("the workload is %v", image)
	}
	w.traffic = nil
	if err := s.Undo(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, w.state()); diff != "" {
		t.Errorf("undo left:\n%s", diff)
	}
}

// Somebody agreed when the deployment was started: nobody is asked again, whatever is lost and whether or not it can be
// counted. The current data is saved aside all the same.
func TestRestoreWithConsentAsksNobody(t *testing.T) {
	for name, c := range map[string]struct {
		change func(documents)
		engine string
		says   []string
	}{
		"nothing is lost":    {func(documents) {}, "mongodb", []string{"0 documents", "were lost"}},
		"much is lost":       {twoWrites, "mongodb", []string{"2 documents", "were lost"}},
		"files":              {twoWrites, "files", []string{"cannot be counted (files are not compared)"}},
		"a damaged database": {damaged, "mongodb", []string{"cannot be counted", "is damaged"}},
	} {
		t.Run(name, func(t *testing.T) {
			w, results := checkpointedAs(t, c.engine)
			c.change(w.live("prod"))
			live := maps.Clone(w.live("prod"))
			before := w.state()
			spec := restoring(nil)
			spec.RestoreData.Spec.Engine = c.engine
			spec.RestoreData.Consent = &sluice.Actor{Name: "Ada"}
			s := w.step("d1", "prod", spec, results)
			p := must(t, s)
			if diff := cmp.Diff(abc(), w.live("prod")); diff != "" {
				t.Errorf("what is back:\n%s", diff)
			}
			if diff := cmp.Diff([]documents{live}, w.copies[string(p.Result.SavedAside)]); diff != "" {
				t.Errorf("saved aside:\n%s", diff)
			}
			for _, part := range append(c.says, "agreed by Ada") {
				if !strings.Contains(p.Message, part) {
					t.Errorf("the step says %q, without %q", p.Message, part)
				}
			}
			if err := s.Undo(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			same(t, "undo", before, w.state())
		})
	}
}

func TestLossIsCountedWithoutAStep(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(documents)
		ends    bool
		writes  int64
		unknown string
	}{
		"nothing was written":  {change: func(documents) {}},
		"some was written":     {change: func(d documents) { delete(d, "b"); d["d"], d["a"] = "4", "9" }, writes: 3},
		"it does not open":     {change: func(d documents) { d["broken"] = "yes" }, unknown: "damaged"},
		"its caller ends soon": {change: func(d documents) { d["d"] = "4" }, ends: true},
	} {
		t.Run(name, func(t *testing.T) {
			w, results := checkpointed(t)
			c.change(w.live("prod"))
			before := w.state()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if c.ends {
				w.traffic = func(namespace, _ string) { cancel() } // as the scratch is about to open
			}
			counter := w.step("d1", "prod", restoring(nil), results).(interface {
				CountLoss(context.Context) (dataset.Loss, error)
			})
			loss, err := counter.CountLoss(ctx)
			if (err != nil) != c.ends || loss.Writes != c.writes || loss.Age != time.Minute {
				t.Errorf("the loss is %+v, %v", loss, err)
			}
			if !strings.Contains(loss.Unknown, c.unknown) || (loss.Unknown == "") != (c.unknown == "") {
				t.Errorf("unknown because of %q", loss.Unknown)
			}
			same(t, "counting", before, w.state())
		})
	}
}

// A workload that somebody deleted by hand is no sign that a person agreed to the loss.
func TestRestoreAsksAlsoWhereTheWorkloadWentAway(t *testing.T) {
	w, results := checkpointed(t)
	w.live("prod")["d"] = "4"
	s := w.step("d1", "prod", restoring(nil), results)
	preview, err := s.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	delete(w.objects, mongoRef("prod"))
	p := sluice.Progress{Snapshot: preview.Snapshot}
	if err := drive(t.Context(), s, &p); err != nil || p.State != sluice.Waiting {
		t.Errorf("the step is %s: %s, %v", p.State, p.Message, err)
	}
}

func TestRestoreOpensTheDataWithItsOwnVersion(t *testing.T) {
	w, results := checkpointed(t)
	w.deploy("prod", "db:2", w.live("prod"))
	must(t, w.step("d1", "prod", restoring(nil), results))
	if image := w.flat(w.objects[mongoRef("prod")]); !strings.Contains(image, "db:1") {
		t.Errorf("the workload is %v", image)
	}
}

func twoWrites(d documents) { d["d"], d["a"] = "4", "9" }

func damaged(d documents) { d["broken"] = "yes" }

func TestRestoreAsksWhereMoreWouldBeLost(t *testing.T) {
	for name, c := range map[string]struct {
		change func(documents)
		allow  *sluice.AllowDataLoss
		asks   bool
	}{
		"nothing is lost":         {func(documents) {}, nil, false},
		"nothing may be lost":     {twoWrites, nil, true},
		"zero allows nothing":     {twoWrites, &sluice.AllowDataLoss{}, true},
		"as many as allowed":      {twoWrites, &sluice.AllowDataLoss{Writes: 2}, false},
		"more than allowed":       {twoWrites, &sluice.AllowDataLoss{Writes: 1}, true},
		"as old as allowed":       {twoWrites, &sluice.AllowDataLoss{Age: time.Minute}, false},
		"older than allowed":      {twoWrites, &sluice.AllowDataLoss{Age: time.Second, Writes: 9}, true},
		"a damaged database":      {damaged, &sluice.AllowDataLoss{Writes: 9}, true},
		"damaged, young is given": {damaged, &sluice.AllowDataLoss{Age: time.Hour}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w, results := checkpointed(t)
			c.change(w.live("prod"))
			before := w.state()
			s := w.step("d1", "prod", restoring(c.allow), results)
			p, err := begin(t, s)
			if err != nil {
				t.Fatal(err)
			}
			if asks := p.State == sluice.Waiting; asks != c.asks {
				t.Fatalf("the step is %s: %s", p.State, p.Message)
			}
			if !c.asks {
				return
			}
			if diff := cmp.Diff(before, w.state()); diff != "" {
				t.Errorf("it changed before anybody said so:\n%s", diff)
			}
			no := p
			no.Signals = []sluice.Signal{{Kind: sluice.SignalReject}}
			if _, err := s.Observe(t.Context(), no); sluice.ErrorCode(err) != sluice.Failed {
				t.Errorf("rejected: %v", err)
			}
			p.Signals = []sluice.Signal{{Kind: sluice.SignalApprove, By: sluice.Actor{Name: "Ada"}}}
			if p, err = s.Observe(t.Context(), p); err != nil || p.State != sluice.Running {
				t.Fatalf("approved: %s, %v", p.State, err)
			}
			if diff := cmp.Diff(before, w.state()); diff != "" {
				t.Errorf("it changed before the decision was recorded:\n%s", diff)
			}
			if err = drive(t.Context(), s, &p); err != nil || p.State != sluice.Done || !strings.Contains(p.Message, "Ada") {
				t.Fatalf("approved: %s, %v", p.Message, err)
			}
			if diff := cmp.Diff(abc(), w.live("prod")); diff != "" {
				t.Errorf("what is back:\n%s", diff)
			}
		})
	}
}

func TestRestoreOfWhatIsQuiescedByCommands(t *testing.T) {
	w, results := checkpointed(t)
	w.live("prod")["d"] = "4"
	spec := restoring(&sluice.AllowDataLoss{Writes: 1})
	spec.RestoreData.Spec.Quiesce = byCommands()
	must(t, w.step("d1", "prod", spec, results))
	if diff := cmp.Diff(abc(), w.live("prod")); diff != "" || len(w.execs) > 0 {
		t.Errorf("what is back:\n%s\nand in a workload that was stopped ran %q", diff, w.execs)
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
