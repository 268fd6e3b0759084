package data_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
)

// releasing plans that the target's database gets the image.
func (w *world) releasing(target, image string) {
	set := sluice.Object{"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": map[string]any{"name": "mongo"}}
	set.Set([]any{map[string]any{"name": "mongo", "image": image}}, "spec", "template", "spec", "containers")
	w.plan = append(w.plan, sluice.PlannedStep{ID: sluice.StepID(target + "/apply"), Target: target,
		StepSpec: sluice.StepSpec{Kind: sluice.KindApply, Apply: &sluice.Apply{Objects: []sluice.Object{set}}}})
}

// The plan refuses an image that cannot open the data, before anything is copied.
func TestThePlanRefusesAnUpgradeThatIsImpossible(t *testing.T) {
	for _, target := range []string{"prod", "staging"} {
		for image, want := range map[string]struct {
			code sluice.Code
			note string
		}{
			"mongo:8.0": {sluice.Invalid, ""}, "mongo:7.0": {"", "restoreData"}, "mongo:6.0.3": {"", ""},
			"mongo:5.0": {sluice.Invalid, ""},
		} {
			w := newWorld(t)
			w.server = sluice.Server{Version: "6.0.1", Format: "6.0"}
			w.deploy("prod", "mongo:6.0.1", documents{"a": "1"})
			w.deploy("staging", "mongo:6.0.1", documents{})
			w.releasing(target, image)
			spec := checkpointing(0)
			if target == "staging" {
				spec = migrating()
			}
			preview, err := w.step("d1", target, spec, nil).Check(t.Context())
			noted := slices.ContainsFunc(preview.Notes, func(n string) bool { return strings.Contains(n, "MongoDB") })
			if sluice.ErrorCode(err) != want.code || noted != (want.note != "") {
				t.Errorf("%s in %s: %v, %q", image, target, err, preview.Notes)
			}
			if err != nil && sluice.ErrorHint(err) == "" {
				t.Errorf("%s in %s: %v has no hint", image, target, err)
			}
		}
	}
}

func TestACheckpointNamesTheDatabasesThatItDidNotRead(t *testing.T) {
	w := newWorld(t)
	w.server.Others = []string{"audit", "carts"}
	w.deploy("prod", "mongo:6.0.1", documents{"a": "1"})
	p, err := w.step("d1", "prod", checkpointing(0), nil).Start(t.Context(), sluice.Progress{})
	if err != nil || !strings.Contains(p.Message, "not read, although on the same server: audit, carts") {
		t.Errorf("%v, %s", err, p.Message)
	}
}
