package main

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

func TestReportHoldsEveryKey(t *testing.T) {
	v := &sluice.Verification{Comparison: sluice.Comparison{Collections: []sluice.CollectionComparison{{MissingKeys: make([]string, 12)}}}}
	failed := sluice.Event{
		Kind: sluice.StepFailed, Step: "staging/after/0", Failure: &sluice.Failure{Result: &sluice.Result{Verification: v}},
	}
	s := &engine.State{ID: "d1"}
	a := &app{state: t.TempDir()}
	for range 2 {
		if err := a.keepReport(s, failed); err != nil {
			t.Fatal(err)
		}
	}
	dir, err := a.stateDir()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(dir.report("d1", failed.Step))
	if err != nil {
		t.Fatal(err)
	}
	var kept sluice.Verification
	if err := json.Unmarshal(data, &kept); err != nil || len(kept.Comparison.Collections[0].MissingKeys) != 12 {
		t.Errorf("%v, %s", err, data)
	}
}
