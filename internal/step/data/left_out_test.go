package data_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
)

// bringing lets deployments apply the database of the dataset.
func (w *world) bringing() *world {
	set := sluice.Object{"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": map[string]any{"name": "mongo"}}
	w.plan = append(w.plan, sluice.PlannedStep{ID: "prod/apply", Target: "prod", StepSpec: sluice.StepSpec{
		Kind: sluice.KindApply, Apply: &sluice.Apply{Objects: []sluice.Object{set}},
	}})
	return w
}

// copyingSteps copy the data of prod.
func copyingSteps() map[string]sluice.StepSpec {
	return map[string]sluice.StepSpec{"staging": migrating(), "prod": checkpointing(0)}
}

// Also if the data arrives before the step is repeated after a crash.
func TestWithoutDataNothingIsCopied(t *testing.T) {
	for target, spec := range copyingSteps() {
		w := newWorld(t).bringing()
		s := w.step("d1", target, spec, nil)
		preview, err := s.Check(t.Context())
		if err != nil || len(preview.Notes) != 1 || preview.Notes[0] != "left out: prod has no data of orders yet" {
			t.Fatalf("%s: the plan says %q: %v", target, preview.Notes, err)
		}
		w.deploy("prod", "db:1", abc())
		before := w.state()
		p, err := s.Start(t.Context(), sluice.Progress{Snapshot: preview.Snapshot})
		if err != nil || p.State != sluice.Done || !p.Result.NoData || p.Result.Checkpoint != "" {
			t.Errorf("%s: %+v: %v", target, p, err)
		}
		if err := s.Undo(t.Context(), p); err != nil {
			t.Error(err)
		}
		if err := s.Finish(t.Context(), p); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(before, w.state()); diff != "" || len(w.catalogue) > 0 {
			t.Errorf("%s: a step that was left out changed something:\n%s", target, diff)
		}
	}
}

func TestWhatNeedsACopyIsLeftOutWithIt(t *testing.T) {
	w := newWorld(t).bringing()
	w.deploy("prod", "db:1", abc())
	before := w.state()
	none := map[sluice.StepID]sluice.Result{"prod/before/0": {NoData: true}}
	verify := sluice.StepSpec{Kind: sluice.KindVerifyData, VerifyData: &sluice.VerifyData{
		Dataset: "orders", Baseline: "checkpoint", From: "prod/before/0", Spec: orders,
	}}
	restore := sluice.StepSpec{Kind: sluice.KindRestoreData, RestoreData: &sluice.RestoreData{
		Dataset: "orders", From: "prod/before/0", Spec: orders,
	}}
	for _, spec := range []sluice.StepSpec{verify, restore} {
		p := must(t, w.step("d1", "prod", spec, none))
		if p.State != sluice.Done || !strings.HasPrefix(p.Message, "left out: there was no data of orders") {
			t.Errorf("%s: %s %q", spec.Kind, p.State, p.Message)
		}
	}
	if diff := cmp.Diff(before, w.state()); diff != "" {
		t.Errorf("something changed:\n%s", diff)
	}
}

// Where there is data, or where nobody can know, copying is never left out.
func TestDataIsNeverLeftOut(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*world)
		code   sluice.Code
	}{
		"the claim stands without its workload": {func(w *world) {
			delete(w.objects, sluice.Ref{APIVersion: "apps/v1", Kind: "StatefulSet", Namespace: "prod", Name: "mongo"})
		}, sluice.NotFound},
		"the workload stands without its claim": {func(w *world) {
			delete(w.objects, sluice.Ref{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: "prod", Name: "mongo-data"})
		}, sluice.NotFound},
		"this deployment does not bring the workload": {func(w *world) { clear(w.objects); w.plan = nil }, sluice.NotFound},
	} {
		for target, spec := range copyingSteps() {
			w := newWorld(t).bringing()
			w.deploy("prod", "db:1", abc())
			c.change(w)
			_, err := w.step("d1", target, spec, nil).Check(t.Context())
			if sluice.ErrorCode(err) != c.code {
				t.Errorf("%s, %s: %v", name, target, err)
			}
		}
	}
}
