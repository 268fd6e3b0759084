package data_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
)

// onlyMasked makes sure that whatever the target's workload is started on holds nothing that is not masked.
func onlyMasked(w *world) func(namespace, claim string) {
	return func(namespace, _ string) {
		if namespace != "staging" {
			return
		}
		for k, v := range w.live("staging") {
			if k != "old" && strings.Count(v, maskPrefix) != 1 {
				w.t.Errorf("the workload of staging was started on %s=%s", k, v)
			}
		}
	}
}

func TestWhatIsMaskedIsAllThatArrivesAndStays(t *testing.T) {
	w := newWorld(t)
	w.deploy("prod", "db:1", abc())
	w.deploy("staging", "db:2", documents{"old": "data"})
	before := w.state()
	w.traffic = onlyMasked(w)
	s := w.step("d1", "staging", maskedMigrating(), nil)
	p := must(t, s)
	want := documents{"a": maskPrefix + "1", "b": maskPrefix + "2", "c": maskPrefix + "3"}
	if diff := cmp.Diff(want, w.live("staging")); diff != "" {
		t.Errorf("what arrived:\n%s", diff)
	}
	if diff := cmp.Diff(abc(), w.live("prod")); diff != "" {
		t.Errorf("the source changed:\n%s", diff)
	}
	if diff := cmp.Diff(map[string][]documents{"d1-staging-before-1": {want}}, w.copies); diff != "" {
		t.Errorf("copies:\n%s", diff)
	}
	c := w.catalogue[p.Result.Checkpoint]
	if diff := cmp.Diff([]string{"orders.value"}, c.Masked); diff != "" || documentsOf(c.Fingerprint) != 3 {
		t.Errorf("the checkpoint holds %d documents, masked:\n%s", documentsOf(c.Fingerprint), diff)
	}
	verify := verifying("equal")
	verify.VerifyData.From = "staging/before/1"
	must(t, w.step("d1", "staging", verify, map[sluice.StepID]sluice.Result{"staging/before/1": *p.Result}))
	back := restoring(nil)
	back.RestoreData.Checkpoint = c.ID
	if _, err := w.step("d1", "prod", back, nil).Check(t.Context()); sluice.ErrorCode(err) != sluice.Invalid {
		t.Errorf("masked data would be put back into its source: %v", err)
	}
	if err := s.Undo(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, w.state()); diff != "" {
		t.Errorf("undo left:\n%s", diff)
	}
}

func TestMaskingThatDoesMoreIsNoticedBeforeAnybodyGetsIt(t *testing.T) {
	w := newWorld(t)
	w.deploy("prod", "db:1", abc())
	w.deploy("staging", "db:2", documents{"old": "data"})
	w.damage = true
	before := w.state()
	s := w.step("d1", "staging", maskedMigrating(), nil)
	p, err := begin(t, s)
	if sluice.ErrorCode(err) != sluice.Failed || !strings.Contains(err.Error(), "orders") || len(w.catalogue) > 0 {
		t.Fatalf("a document was lost: %v, listed %v", err, w.catalogue)
	}
	if err := s.Undo(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, w.state()); diff != "" || len(w.copies) > 0 {
		t.Errorf("undo left:\n%s and %v", diff, w.copies)
	}
}

func TestThePreviewSaysWhatIsMasked(t *testing.T) {
	w := newWorld(t)
	w.deploy("prod", "db:1", abc())
	preview, err := w.step("d1", "staging", maskedMigrating(), nil).Check(t.Context())
	if err != nil || !strings.Contains(fmt.Sprint(preview.Notes), "masks orders.value (hash) before") {
		t.Errorf("%v, %v", preview.Notes, err)
	}
}
