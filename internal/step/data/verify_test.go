package data_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
)

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
