package step_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step"
)

func TestRunJobFailureShowsItsLastLines(t *testing.T) {
	b := newBench().add("after/0", job("check:fails"))
	_, err := b.run(t, "after/0")
	if sluice.ErrorCode(err) != sluice.Failed || !strings.Contains(err.Error(), "last words of check-421bcb0388-") ||
		!strings.Contains(err.Error(), "ended with status 1") {
		t.Errorf("got %v", err)
	}
}

// A Job that ended while Sluice was away counts as it ended, even if Sluice was away for longer than the step may take.
func TestWhatEndedDuringAnOutageIsSeen(t *testing.T) {
	for image, code := range map[string]sluice.Code{"check:1": "", "check:fails": sluice.Failed} {
		b := newBench().add("after/0", job(image))
		s := b.must(t, "after/0")
		preview, err := s.Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		p, err := s.Start(t.Context(), sluice.Progress{Snapshot: preview.Snapshot})
		if err != nil {
			t.Fatal(err)
		}
		b.now = b.now.Add(time.Hour)
		p.Snapshot = preview.Snapshot
		p, err = b.must(t, "after/0").Observe(t.Context(), p)
		if sluice.ErrorCode(err) != code || err == nil && p.State != sluice.Done {
			t.Errorf("%s: %s, %v", image, p.State, err)
		}
		if err != nil && !strings.Contains(err.Error(), "ended with status 1") {
			t.Errorf("%s: %v", image, err)
		}
	}
}

// What a Job's pods write is shown while they write it.
func TestJobIsHeard(t *testing.T) {
	b := newBench().add("after/0", job("check:1"))
	var mu sync.Mutex
	var heard []string
	planned, _ := b.plan.Step("production/after/0")
	s, err := step.New(b.deps).New(sluice.StepContext{
		Deployment: deployment, StartedAt: noon, Plan: b.plan, Step: planned,
		Target: sluice.PlannedTarget{Name: "production", Account: "cluster", Namespace: namespace},
		Report: func(p sluice.Progress) {
			mu.Lock()
			defer mu.Unlock()
			heard = append(heard, p.Message)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	preview, err := s.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Start(t.Context(), sluice.Progress{Snapshot: preview.Snapshot})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Observe(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if !slices.ContainsFunc(heard, func(m string) bool { return strings.Contains(m, ": a line of check-") }) {
		t.Errorf("heard %q", heard)
	}
}

func TestJobsRunAgainWhenTheyChange(t *testing.T) {
	migrate := func(image string) sluice.Object {
		spec := map[string]any{"template": podTemplate("migrate", image)}
		return object("batch/v1", "Job", "migrate", map[string]any{"spec": spec})
	}
	b := newBench().add("apply", applying(false, migrate("migrate:1")))
	b.mustRun(t, "apply")
	b.plan.Steps[0].Apply.Objects = []sluice.Object{migrate("migrate:2")}
	b.mustRun(t, "apply")
	if got := imageIn(b.get(t, ref("batch/v1", "Job", "migrate"))); got != "migrate:2" {
		t.Errorf("the Job is %s", got)
	}
	b.plan.Steps[0].Apply.Objects = []sluice.Object{migrate("migrate:fails")}
	if _, err := b.run(t, "apply"); sluice.ErrorCode(err) != sluice.Failed ||
		!strings.Contains(err.Error(), "Job/migrate") {
		t.Errorf("got %v", err)
	}
}

func TestJobIsDeletedAtTheEnd(t *testing.T) {
	b := newBench().add("after/0", job("check:1"))
	was := b.account.Snapshot()
	p := b.mustRun(t, "after/0")
	if err := b.must(t, "after/0").Finish(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(was, b.account.Snapshot()); diff != "" {
		t.Errorf("it leaves (-want +got):\n%s", diff)
	}
}
