package step_test

import (
	"testing"

	"github.com/sluice-cd/sluice"
)

// The undo of a promotion that was interrupted goes back to the weight that was really set, not to a skipped one.
func TestUndoGoesBackBehindASkippedWeight(t *testing.T) {
	b := installed(t)
	b.mustRun(t, "apply")
	b.mustRun(t, "canary/0")
	b.results["production/canary/1"] = sluice.Result{Skipped: true}
	promote := b.must(t, "promote")
	preview, err := promote.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := promote.Undo(t.Context(), sluice.Progress{Snapshot: preview.Snapshot}); err != nil {
		t.Fatal(err)
	}
	if got := b.account.Weight(namespace, "web"); got != 10 {
		t.Errorf("the weight is %d, want 10", got)
	}
}
