package fingerprint_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/fingerprint"
)

func TestJudge(t *testing.T) {
	lost := sluice.CollectionComparison{Name: "orders", Missing: 5, MissingKeys: []string{"a", "b", "c", "d", "e"}}
	one := sluice.CollectionComparison{Name: "orders", Missing: 1, MissingKeys: []string{"a"}}
	busy := sluice.CollectionComparison{
		Name: "orders", Added: 2, AddedKeys: []string{"x", "y"}, Changed: 1, ChangedKeys: []sluice.ChangedKey{{Key: "c"}},
		ChangedIndexes: []string{"by_day"},
	}
	baseline := &sluice.Bound{Baseline: true}
	keeps := []sluice.Invariant{{Name: "no order is lost", Count: "orders", AtLeast: baseline}}
	figures := func(v float64) []sluice.InvariantValue {
		return []sluice.InvariantValue{{Name: "no order is lost", Value: v}}
	}
	for name, test := range map[string]struct {
		mode       string
		found      []sluice.CollectionComparison
		ignored    fingerprint.Ignored
		invariants []sluice.Invariant
		was, now   []sluice.InvariantValue
		passed     bool
		reason     string
	}{
		"alike": {mode: fingerprint.Equal, passed: true, reason: "10 documents in 1 collections are as they were"},
		"lost": {mode: fingerprint.Equal, found: []sluice.CollectionComparison{lost},
			reason: "orders: 5 documents missing (a, b, c, ...)"},
		"lost one": {mode: fingerprint.Loss, found: []sluice.CollectionComparison{one},
			reason: "orders: 1 document missing (a)"},
		"busy is fine": {mode: fingerprint.Loss, found: []sluice.CollectionComparison{busy}, passed: true,
			reason: "no document is missing of 9 documents"},
		"busy is not": {mode: fingerprint.Equal, found: []sluice.CollectionComparison{busy},
			reason: "orders: 1 document changed (c), 2 documents added (x, y), index by_day changed"},
		"ignored": {mode: fingerprint.Equal, found: []sluice.CollectionComparison{lost},
			ignored: fingerprint.Ignored{"orders"}, passed: true, reason: "10 documents in 1 collections are as they were"},
		"bound holds": {mode: fingerprint.Loss, invariants: keeps, was: figures(9), now: figures(10), passed: true,
			reason: "no document is missing of 9 documents; the invariant holds"},
		"bound broken": {mode: fingerprint.Loss, invariants: keeps, was: figures(9), now: figures(8.5),
			reason: "no order is lost: 8.5 is not at least the 9 of the baseline"},
		"no baseline": {mode: fingerprint.Loss, invariants: keeps, now: figures(8),
			reason: "no order is lost: the baseline has no value to compare with"},
		"no value": {mode: fingerprint.Loss, invariants: keeps, was: figures(9),
			reason: "no order is lost: no value was measured"},
		"at most": {mode: fingerprint.Loss,
			invariants: []sluice.Invariant{{Name: "no order is lost", AtMost: &sluice.Bound{Value: 3}}}, now: figures(4),
			reason: "no order is lost: 4 is not at most the 3"},
		"equals": {mode: fingerprint.Loss,
			invariants: []sluice.Invariant{{Name: "no order is lost", Equals: baseline}}, was: figures(4), now: figures(5),
			reason: "no order is lost: 5 is not equal to the 4 of the baseline"},
		"both at fault": {mode: fingerprint.Equal, found: []sluice.CollectionComparison{one}, invariants: keeps,
			was: figures(9), now: figures(8),
			reason: "orders: 1 document missing (a); no order is lost: 8 is not at least the 9 of the baseline"},
	} {
		t.Run(name, func(t *testing.T) {
			collection := func(n int64) []sluice.CollectionFingerprint {
				return []sluice.CollectionFingerprint{{Name: "orders", Count: n}}
			}
			got := fingerprint.Judge(fingerprint.Case{
				Dataset: "orders", Mode: test.mode, Ignored: test.ignored, Invariants: test.invariants,
				Was:        sluice.Fingerprint{Collections: collection(9), Invariants: test.was},
				Now:        sluice.Fingerprint{Collections: collection(10), Invariants: test.now},
				Comparison: sluice.Comparison{Collections: test.found},
			})
			if diff := cmp.Diff([]any{test.passed, test.reason}, []any{got.Passed, got.Reason}); diff != "" {
				t.Errorf("judgment (-want +got):\n%s", diff)
			}
			if got.Documents != 10 {
				t.Errorf("documents: %d, want 10", got.Documents)
			}
		})
	}
}

// Nobody may believe that a verification was about all databases of a server.
func TestAVerificationNamesTheDatabasesThatItDidNotRead(t *testing.T) {
	v := fingerprint.Judge(fingerprint.Case{Mode: fingerprint.Equal,
		Now: sluice.Fingerprint{Others: []string{"audit", "carts"}}})
	if !v.Passed || !strings.Contains(v.Reason, "not read, although on the same server: audit, carts") {
		t.Errorf("passed: %v, %s", v.Passed, v.Reason)
	}
}
