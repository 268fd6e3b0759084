package bootstrap

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

func TestReportHoldsEveryKey(t *testing.T) {
	missing := []sluice.CollectionComparison{{MissingKeys: make([]string, 12)}}
	v := &sluice.Verification{Comparison: sluice.Comparison{Collections: missing}}
	failed := sluice.Event{
		Kind: sluice.StepFailed, Step: "staging/after/0", Failure: &sluice.Failure{Result: &sluice.Result{Verification: v}},
	}
	s := &engine.State{ID: "d1"}
	dir := StateDir{path: t.TempDir()}
	for range 2 {
		if err := dir.KeepReport(s, failed); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(dir.Report("d1", failed.Step))
	if err != nil {
		t.Fatal(err)
	}
	var kept sluice.Verification
	if err := json.Unmarshal(data, &kept); err != nil || len(kept.Comparison.Collections[0].MissingKeys) != 12 {
		t.Errorf("%v, %s", err, data)
	}
}
