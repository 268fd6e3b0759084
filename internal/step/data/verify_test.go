package data_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step"
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

// jobs are Jobs beside the databases of a world. A Job must not end while it is used.
type jobs struct {
	fakeBeside
	begun  map[string]int // by namespace
	inUse  map[string]bool
	errors []string
}

func (j *jobs) Open(_ context.Context, at sluice.Place, _ string) (map[string]sluice.Databases, func(), error) {
	j.begun[at.Namespace]++
	j.inUse[at.Namespace] = true
	return map[string]sluice.Databases{"mongodb": fakeDatabases{j.world}}, func() { j.inUse[at.Namespace] = false }, nil
}

func (j *jobs) End(_ context.Context, at sluice.Place, _ string) error {
	if j.inUse[at.Namespace] {
		j.errors = append(j.errors, "the Job in "+at.Namespace+" ended while it was used")
	}
	return nil
}

// The Job that has read the database also compares it.
func TestOneJobReadsAndCompares(t *testing.T) {
	w, results := checkpointed(t)
	delete(w.live("prod"), "b")
	j := &jobs{fakeBeside: fakeBeside{w}, begun: map[string]int{}, inUse: map[string]bool{}}
	d := w.deps()
	d.Beside = j
	s, err := step.New(d).New(w.context("d1", "prod", verifying("loss"), results))
	if err != nil {
		t.Fatal(err)
	}
	if p, err := begin(t, s); sluice.ErrorCode(err) != sluice.Failed ||
		len(p.Result.Verification.Comparison.Collections) != 1 {
		t.Errorf("a lost document: %v", err)
	}
	if len(j.begun) != 2 || j.begun["prod"] != 1 || len(j.errors) > 0 {
		t.Errorf("Jobs were begun %v times; %v", j.begun, j.errors)
	}
}
