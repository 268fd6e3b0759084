package stateful_test

import (
	"testing"
	"time"
)

// A StatefulSet's own controller waits for ever for a broken pod under OrderedReady, also when the template is put back.
func TestBrokenOrdinalIsReplaced(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"OrderedReady", "Parallel"} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			s := newStore(t, stepwise)
			s.Value("Policy", policy)
			s.installed()
			before := s.Snapshot()
			s.Value("Crash", "1")
			s.release("v2")
			r := s.RollsBack(s.Start("run", "-f", "deploy.yaml"))
			t.Logf("took %s\n%s", r.Took, r.Story())
			says(t, r.Failures["production/canary/1"].Message, "StatefulSet/store", "pod store-1", "CrashLoopBackOff", "cannot open the tables of v2")
			if r.Took > 3*time.Minute {
				t.Errorf("it took %s", r.Took)
			}
			s.expect("v1 v1 v1")
			s.Unchanged(before)
		})
	}
}
