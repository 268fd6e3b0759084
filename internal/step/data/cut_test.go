package data_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
)

// A claim that can only be copied while no pod uses it is copied only if the file says that its workload may be
// stopped. Otherwise the plan says what else can be done.
func TestASourceIsStoppedOnlyIfTheFileSaysSo(t *testing.T) {
	w := newWorld(t)
	w.deploy("prod", "db:1", abc())
	w.idle, w.cluster = true, true
	before := w.state()
	_, err := w.step("d1", "prod", checkpointing(0), nil).Check(t.Context())
	if sluice.ErrorCode(err) != sluice.Unsupported || !strings.Contains(err.Error(), "takes no snapshots") {
		t.Errorf("nobody may stop the source: %v", err)
	}
	for _, choice := range []string{"quiesce: stop", "snapshots", "portworx"} {
		if !strings.Contains(sluice.ErrorHint(err), choice) {
			t.Errorf("the hint does not name %s: %s", choice, sluice.ErrorHint(err))
		}
	}
	s := w.step("d1", "prod", stopping(), nil)
	preview, err := s.Check(t.Context())
	if err != nil || !strings.Contains(fmt.Sprint(preview.Notes), "stops StatefulSet/mongo of prod") {
		t.Errorf("the plan says %v, %v", preview.Notes, err)
	}
	p := must(t, s)
	same(t, "the source", before, w.state())
	want := []string{"StatefulSet/mongo of prod to 0"} // Restore starts it again
	if diff := cmp.Diff(want, w.scaled); diff != "" {
		t.Errorf("scaled:\n%s", diff)
	}
	if c := w.catalogue[p.Result.Checkpoint]; documentsOf(c.Fingerprint) != 3 || c.Image != "db:1" {
		t.Errorf("the checkpoint is %+v", c)
	}
}

// Snapshots of several claims are not of one instant without a lock. The plan says so, unless commands stop writes
// meanwhile.
func TestSeveralSnapshotsAreNotOfOneInstant(t *testing.T) {
	w := newWorld(t)
	w.deploy("prod", "db:1", abc())
	w.second("prod", documents{"x": "1"})
	w.snapshots = true
	for _, test := range []struct {
		claims  []string
		quiesce sluice.Quiesce
		want    bool
	}{
		{claims: []string{"mongo-data"}},
		{claims: twoClaims, want: true},
		{claims: twoClaims, quiesce: sluice.Quiesce{Mode: "commands", Before: [][]string{{"lock"}}}},
	} {
		spec := checkpointing(0)
		spec.CheckpointData.Spec.Claims, spec.CheckpointData.Spec.Quiesce = test.claims, test.quiesce
		preview, err := w.step("d1", "prod", spec, nil).Check(t.Context())
		if got := strings.Contains(fmt.Sprint(preview.Notes), "one right after the other"); err != nil || got != test.want {
			t.Errorf("%q with %+v: the plan says %q, %v", test.claims, test.quiesce, preview.Notes, err)
		}
	}
}

// A retry goes on with the copy that it finds: the source stands still once.
func TestASourceIsStoppedOnceWhateverIsTriedAgain(t *testing.T) {
	w := newWorld(t)
	w.deploy("prod", "db:1", abc())
	w.idle, w.cluster, w.outlives = true, true, true
	s := w.step("d1", "prod", stopping(), nil)
	preview, err := s.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := sluice.Progress{Snapshot: preview.Snapshot}
	w.traffic = func(namespace, _ string) {
		if namespace != "prod" {
			w.live(namespace)["broken"] = "for now"
		}
	}
	if _, err := s.Start(t.Context(), p); err == nil {
		t.Fatal("a copy that does not open was accepted")
	}
	w.traffic = nil
	if p, err = s.Start(t.Context(), p); err != nil || p.State != sluice.Done {
		t.Fatalf("tried again: %s, %v", p.State, err)
	}
	stops := 0
	for _, scaled := range w.scaled {
		if strings.HasPrefix(scaled, "StatefulSet/mongo of prod to 0") {
			stops++
		}
	}
	if stops != 1 || w.cuts != 1 {
		t.Errorf("the source was stopped %d times and cut %d times: %q", stops, w.cuts, w.scaled)
	}
}

// What the process is told to end, starts the source before it ends: nobody may resume the deployment for days.
func TestASourceDoesNotStayStoppedIfSluiceIsEnded(t *testing.T) {
	w := newWorld(t)
	w.deploy("prod", "db:1", abc())
	w.idle, w.cluster = true, true
	before := w.state()
	s := w.step("d1", "prod", stopping(), nil)
	preview, err := s.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w.copying = cancel
	if _, err := s.Start(ctx, sluice.Progress{Snapshot: preview.Snapshot}); err == nil {
		t.Fatal("the step went on")
	}
	same(t, "ended", before, w.state())
	if len(w.work) > 0 {
		t.Errorf("the mover still works: %v", w.work)
	}
}

func TestASourceThatIsStartedWhileItIsCopiedIsNotTrusted(t *testing.T) {
	w := newWorld(t)
	w.deploy("prod", "db:1", abc())
	w.idle, w.cluster = true, true
	w.copying = func() {
		if err := w.store(scaledTo(w.objects[mongoRef("prod")], 1)); err != nil {
			t.Error(err)
		}
	}
	p, err := begin(t, w.step("d1", "prod", stopping(), nil))
	if sluice.ErrorCode(err) != sluice.Conflict || len(w.catalogue) > 0 || len(w.copies) > 0 {
		t.Errorf("the step is %s: %v; copies %v", p.State, err, w.copies)
	}
}

func scaledTo(o sluice.Object, replicas int64) sluice.Object {
	o = o.Clone()
	o.Set(replicas, "spec", "replicas")
	return o
}

func TestWhatOthersUseIsRefusedByName(t *testing.T) {
	for name, spec := range map[string]sluice.StepSpec{
		"its data would be replaced": migrating(), "it would be stopped": stopping(),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.deploy("prod", "db:1", abc())
			w.deploy("staging", "db:2", documents{"old": "data"})
			target := "staging"
			if spec.CheckpointData != nil {
				w.idle, target = true, "prod"
			}
			w.users[target+"/mongo-data"] = []string{"Deployment/report"}
			before := w.state()
			_, err := w.step("d1", target, spec, nil).Check(t.Context())
			if sluice.ErrorCode(err) != sluice.Conflict || !strings.Contains(err.Error(), "Deployment/report") ||
				!strings.Contains(err.Error(), "mongo-data") || sluice.ErrorHint(err) == "" {
				t.Errorf("a claim in use: %v", err)
			}
			same(t, "refused", before, w.state())
		})
	}
}

// A claim that somebody begins to use after the plan is noticed before anything is stopped.
func TestAClaimThatIsUsedLaterIsNoticedBeforeTheWorkloadStops(t *testing.T) {
	w := newWorld(t)
	w.deploy("prod", "db:1", abc())
	w.deploy("staging", "db:2", documents{"old": "data"})
	w.cluster = true
	w.copying = func() { w.users["staging/mongo-data"] = []string{"Deployment/report"} }
	before := w.state()
	s := w.step("d1", "staging", migrating(), nil)
	p, err := begin(t, s)
	if sluice.ErrorCode(err) != sluice.Conflict || len(w.scaled) > 0 {
		t.Errorf("%v; scaled %q", err, w.scaled)
	}
	undo(t, "undo", w, s, p)
	same(t, "undo", before, w.state())
}

func TestWhoStartsAStoppedWorkloadIsNamed(t *testing.T) {
	w := newWorld(t)
	w.deploy("prod", "db:1", abc())
	w.deploy("staging", "db:2", documents{"old": "data"})
	w.operator = "mongo-operator"
	_, err := begin(t, w.step("d1", "staging", migrating(), nil))
	if sluice.ErrorCode(err) != sluice.Conflict || !strings.Contains(err.Error(), "mongo-operator") {
		t.Errorf("the workload was started again: %v", err)
	}
	if diff := cmp.Diff(documents{"old": "data"}, w.live("staging")); diff != "" {
		t.Errorf("the data was replaced:\n%s", diff)
	}
}

// A StatefulSet that deletes its claims when it is scaled down does not lose them.
func TestClaimsOutliveAWorkloadThatDeletesThem(t *testing.T) {
	for name, spec := range map[string]sluice.StepSpec{"a target": migrating(), "a source": stopping()} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.deploy("prod", "db:1", abc())
			w.deploy("staging", "db:2", documents{"old": "data"})
			w.cluster = true
			target := "staging"
			if spec.CheckpointData != nil {
				w.idle, target = true, "prod"
			}
			set := w.objects[mongoRef(target)].Clone()
			set.Set("Delete", "spec", "persistentVolumeClaimRetentionPolicy", "whenScaled")
			if err := w.store(set); err != nil {
				t.Fatal(err)
			}
			before := w.state()
			s := w.step("d1", target, spec, nil)
			p := must(t, s)
			undo(t, "undo", w, s, p)
			same(t, "undo", before, w.state())
		})
	}
}

func TestASnapshotThatIsNeverReadyChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.deploy("prod", "db:1", abc())
	w.unready = true
	before := w.state()
	s := w.step("d1", "prod", quiescing(), nil)
	p, err := begin(t, s)
	if sluice.ErrorCode(err) != sluice.Failed || !strings.Contains(err.Error(), "its driver is full") {
		t.Errorf("the cut failed: %v", err)
	}
	undo(t, "undo", w, s, p)
	same(t, "undo", before, w.state())
}

// The pause that is reported is the time from the first pod that ended until the workload is ready again.
func TestThePauseOfAStoppedSourceIsMeasured(t *testing.T) {
	w := newWorld(t)
	w.deploy("prod", "db:1", abc())
	w.idle = true
	w.copying = func() { w.now = w.now.Add(42 * time.Second) }
	p := must(t, w.step("d1", "prod", stopping(), nil))
	if !strings.Contains(p.Message, "the source stood still for 42s") {
		t.Errorf("the step says %q", p.Message)
	}
	w.copying = nil
	preview, err := w.step("d2", "prod", stopping(), nil).Check(t.Context())
	if err != nil || !strings.Contains(fmt.Sprint(preview.Notes), "the last time that took 42s") {
		t.Errorf("the next plan says %v, %v", preview.Notes, err)
	}
}

// The target keeps its own number of pods, and what cannot be changed of its workload.
func TestATargetKeepsItsSize(t *testing.T) {
	w := newWorld(t)
	w.deploy("prod", "db:1", abc())
	w.deploy("staging", "db:2", documents{"old": "data"})
	set := scaledTo(w.objects[mongoRef("staging")], 3)
	set.Set("mongo-own", "spec", "serviceName")
	if err := w.store(set); err != nil {
		t.Fatal(err)
	}
	must(t, w.step("d1", "staging", migrating(), nil))
	now := w.objects[mongoRef("staging")]
	if now.Number(0, "spec", "replicas") != 3 || now.Text("spec", "serviceName") != "mongo-own" ||
		!strings.Contains(w.flat(now), "db:1") {
		t.Errorf("the workload is %v", now)
	}
}

// The commands that quiesce a source do not run again for a copy that is complete.
func TestASourceIsQuiescedOnceWhateverIsTriedAgain(t *testing.T) {
	w := newWorld(t)
	w.deploy("prod", "db:1", abc())
	s := w.step("d1", "prod", quiescing(), nil)
	w.traffic = func(namespace, _ string) { w.live(namespace)["broken"] = "for now" }
	if _, err := s.Start(t.Context(), sluice.Progress{}); err == nil {
		t.Fatal("a copy that does not open was accepted")
	}
	w.traffic = nil
	if p, err := s.Start(t.Context(), sluice.Progress{}); err != nil || p.State != sluice.Done {
		t.Fatalf("tried again: %s, %v", p.State, err)
	}
	if diff := cmp.Diff([]string{"mongo-0: lock", "mongo-0: unlock"}, w.execs); diff != "" || w.copied != 1 {
		t.Errorf("copied %d times; commands:\n%s", w.copied, diff)
	}
}
