package data_test

import (
	"context"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
)

func abc() documents { return documents{"a": "1", "b": "2", "c": "3"} }

// begin runs Check and Start as the engine does.
func begin(t *testing.T, s sluice.Step) (sluice.Progress, error) {
	t.Helper()
	preview, err := s.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := sluice.Progress{Snapshot: preview.Snapshot}
	err = drive(t.Context(), s, &p)
	return p, err
}

// drive starts a step and observes it while it has more to do. p is what an engine would have recorded: it stays as
// it was when the last call that returned without an error left it, but for the evidence of one that failed.
func drive(ctx context.Context, s sluice.Step, p *sluice.Progress) error {
	for {
		call := s.Start
		if p.State == sluice.Running {
			call = s.Observe
		}
		out, err := call(ctx, *p)
		if err != nil {
			p.Result = out.Result
			return err
		}
		*p = out
		if p.State != sluice.Running {
			return nil
		}
	}
}

func must(t *testing.T, s sluice.Step) sluice.Progress {
	t.Helper()
	p, err := begin(t, s)
	if err != nil {
		t.Fatal(err)
	}
	if p.State != sluice.Done {
		t.Fatalf("the step is %s: %s", p.State, p.Message)
	}
	return p
}

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

func TestQuiesceCommandsAlwaysEnd(t *testing.T) {
	w := newWorld(t)
	w.deploy("prod", "db:1", abc())
	spec := checkpointing(0)
	spec.CheckpointData.Spec.Quiesce = sluice.Quiesce{Mode: "commands", Before: [][]string{{"lock"}}, After: [][]string{{"unlock"}}}
	s := w.step("d1", "prod", spec, nil)
	delete(w.volumes, "prod/mongo-data")
	delete(w.objects, sluice.Ref{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: "prod", Name: "mongo-data"})
	if _, err := s.Start(t.Context(), sluice.Progress{}); err == nil {
		t.Fatal("a claim without content was cut")
	}
	if diff := cmp.Diff([]string{"mongo-0: lock", "mongo-0: unlock"}, w.execs); diff != "" {
		t.Error(diff)
	}
}

func TestMigrateIntoAnEmptyTargetAndBack(t *testing.T) {
	w := newWorld(t)
	w.deploy("prod", "db:1", abc())
	w.objects[sluice.Ref{APIVersion: "v1", Kind: "Namespace", Name: "staging"}] = sluice.Object{"kind": "Namespace"}
	before := w.state()
	s := w.step("d1", "staging", migrating(), nil)
	p := must(t, s)
	if diff := cmp.Diff(abc(), w.live("staging")); diff != "" {
		t.Errorf("what arrived:\n%s", diff)
	}
	if image := w.objects[mongoRef("staging")].Field("spec", "template", "spec", "containers"); !strings.Contains(w.flat(sluice.Object{"c": image}), "db:1") {
		t.Errorf("the workload runs %v", image)
	}
	secret := w.objects[sluice.Ref{APIVersion: "v1", Kind: "Secret", Namespace: "staging", Name: "login"}]
	if secret.Text("data", "password") != "c2VzYW1l" {
		t.Errorf("the Secret arrived as %v", secret)
	}
	if err := s.Undo(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, w.state()); diff != "" {
		t.Errorf("undo left:\n%s", diff)
	}
}

func TestMigrateOverOldDataUndoAndFinish(t *testing.T) {
	for name, finish := range map[string]bool{"undo": false, "finish": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.deploy("prod", "db:1", abc())
			w.deploy("staging", "db:2", documents{"old": "data"})
			before := w.state()
			s := w.step("d1", "staging", migrating(), nil)
			p := must(t, s)
			if diff := cmp.Diff(abc(), w.live("staging")); diff != "" {
				t.Errorf("what arrived:\n%s", diff)
			}
			if finish {
				if err := s.Finish(t.Context(), p); err != nil {
					t.Fatal(err)
				}
				if n := len(w.volumes["staging/mongo-data"].generations); n != 1 {
					t.Errorf("%d generations stay", n)
				}
				return
			}
			if err := s.Undo(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, w.state()); diff != "" {
				t.Errorf("undo left:\n%s", diff)
			}
		})
	}
}

func TestMigrateNoticesWhatArrivesChanged(t *testing.T) {
	w := newWorld(t)
	w.deploy("prod", "db:1", abc())
	w.deploy("staging", "db:2", documents{})
	w.traffic = func(namespace, name string) {
		if namespace == "staging" {
			delete(w.live(namespace), "b")
		}
		_ = name
	}
	p, err := begin(t, w.step("d1", "staging", migrating(), nil))
	if sluice.ErrorCode(err) != sluice.Failed {
		t.Fatalf("a lost document: %v", err)
	}
	if diff := cmp.Diff([]string{"b"}, p.Result.Verification.Comparison.Collections[0].MissingKeys); diff != "" {
		t.Error(diff)
	}
}

// checkpointed returns a world whose prod has a checkpoint of abc made by the step prod/before/0.
func checkpointed(t *testing.T) (*world, map[sluice.StepID]sluice.Result) {
	w := newWorld(t)
	w.deploy("prod", "db:1", abc())
	p := must(t, w.step("d1", "prod", checkpointing(0), nil))
	w.now = w.now.Add(time.Minute)
	return w, map[sluice.StepID]sluice.Result{"prod/before/0": *p.Result}
}

func TestVerify(t *testing.T) {
	for name, c := range map[string]struct {
		mode   string
		change func(documents)
		passed bool
		missed []string
	}{
		"nothing changed":           {"equal", func(documents) {}, true, nil},
		"users wrote":               {"loss", func(d documents) { d["d"] = "4"; d["a"] = "9" }, true, nil},
		"a release wrote":           {"equal", func(d documents) { d["d"] = "4" }, false, nil},
		"one is lost":               {"loss", func(d documents) { delete(d, "b") }, false, []string{"b"}},
		"lost, and another instead": {"loss", func(d documents) { delete(d, "b"); d["x"] = "2" }, false, []string{"b"}},
	} {
		t.Run(name, func(t *testing.T) {
			w, results := checkpointed(t)
			c.change(w.live("prod"))
			before := w.state()
			p, err := begin(t, w.step("d1", "prod", verifying(c.mode), results))
			if (err == nil) != c.passed || err != nil && sluice.ErrorCode(err) != sluice.Failed {
				t.Fatalf("verify: %v", err)
			}
			v := p.Result.Verification
			if v.Passed != c.passed || v.Reason == "" || v.Documents != int64(len(w.live("prod"))) {
				t.Errorf("the verification is %+v", v)
			}
			var missed []string
			for _, found := range v.Comparison.Collections {
				missed = append(missed, found.MissingKeys...)
			}
			if diff := cmp.Diff(c.missed, missed); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(before, w.state()); diff != "" {
				t.Errorf("verifying changed the target:\n%s", diff)
			}
		})
	}
}

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

func TestRestoreAsksWhereMoreWouldBeLost(t *testing.T) {
	for name, c := range map[string]struct {
		change func(documents)
		allow  *sluice.AllowDataLoss
		asks   bool
	}{
		"nothing is lost":         {func(documents) {}, nil, false},
		"nothing may be lost":     {func(d documents) { d["d"] = "4" }, nil, true},
		"zero allows nothing":     {func(d documents) { d["d"] = "4" }, &sluice.AllowDataLoss{}, true},
		"as many as allowed":      {func(d documents) { d["d"] = "4"; d["a"] = "9" }, &sluice.AllowDataLoss{Writes: 2}, false},
		"more than allowed":       {func(d documents) { d["d"] = "4"; d["a"] = "9" }, &sluice.AllowDataLoss{Writes: 1}, true},
		"as old as allowed":       {func(d documents) { d["d"] = "4" }, &sluice.AllowDataLoss{Age: time.Minute}, false},
		"older than allowed":      {func(d documents) { d["d"] = "4" }, &sluice.AllowDataLoss{Age: time.Second, Writes: 9}, true},
		"a damaged database":      {func(d documents) { d["broken"] = "yes" }, &sluice.AllowDataLoss{Writes: 9}, true},
		"damaged, young is given": {func(d documents) { d["broken"] = "yes" }, &sluice.AllowDataLoss{Age: time.Hour}, false},
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

// A scene is a step whose every call is once the last one of its process.
type scene struct {
	make func(t *testing.T) (*world, func() sluice.Step)
}

func scenes() map[string]scene {
	return map[string]scene{
		"checkpoint": {func(t *testing.T) (*world, func() sluice.Step) {
			w := newWorld(t)
			w.deploy("prod", "db:1", abc())
			return w, func() sluice.Step { return w.step("d1", "prod", checkpointing(1), nil) }
		}},
		"migrate": {func(t *testing.T) (*world, func() sluice.Step) {
			w := newWorld(t)
			w.deploy("prod", "db:1", abc())
			w.deploy("staging", "db:2", documents{"old": "data"})
			return w, func() sluice.Step { return w.step("d1", "staging", migrating(), nil) }
		}},
		"migrate into nothing": {func(t *testing.T) (*world, func() sluice.Step) {
			w := newWorld(t)
			w.deploy("prod", "db:1", abc())
			w.objects[sluice.Ref{APIVersion: "v1", Kind: "Namespace", Name: "staging"}] = sluice.Object{"kind": "Namespace"}
			return w, func() sluice.Step { return w.step("d1", "staging", migrating(), nil) }
		}},
		"migrate masked": {func(t *testing.T) (*world, func() sluice.Step) {
			w := newWorld(t)
			w.deploy("prod", "db:1", abc())
			w.deploy("staging", "db:2", documents{"old": "data"})
			w.traffic = onlyMasked(w)
			return w, func() sluice.Step { return w.step("d1", "staging", maskedMigrating(), nil) }
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

// TestKilledAtEveryCall: whatever call was a process's last one, before its effect or after it, the next start
// ends as if nothing had happened, and so does the next undo.
func TestKilledAtEveryCall(t *testing.T) {
	for name, sc := range scenes() {
		for _, after := range []bool{false, true} {
			t.Run(name+map[bool]string{false: " before the effect", true: " after the effect"}[after], func(t *testing.T) {
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
				if err := step().Undo(t.Context(), p); err != nil {
					t.Fatal(err)
				}
				same(t, "undo", initial, w.state())
				for n := 1; ; n++ {
					if finished := startKilled(t, sc, n, after, done, records, initial); finished {
						break
					}
				}
				for n := 1; ; n++ {
					if finished := undoKilled(t, sc, n, after, initial); finished {
						break
					}
				}
			})
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
	over = w.calls < w.dieAt
	w.dieAt = 0
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
	if err := step().Undo(t.Context(), p); err != nil {
		t.Fatalf("killed at call %d, undone: %v", n, err)
	}
	same(t, "killed and undone", initial, w.state())
	for id := range w.copies {
		if _, listed := w.catalogue[sluice.CheckpointID(id)]; !listed {
			t.Fatalf("killed at call %d, undone: the copy %s is left, listed by nothing", n, id)
		}
	}
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
	if err := step().Undo(t.Context(), p); err != nil {
		t.Fatalf("undo killed at call %d, undone again: %v", n, err)
	}
	same(t, "undo killed and repeated", initial, w.state())
	return over
}
