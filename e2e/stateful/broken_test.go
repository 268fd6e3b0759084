package stateful_test

import (
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
)

// Under OrderedReady a StatefulSet's own controller waits for ever for a broken pod, even if the template is put back.
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
			says(t, r.Failures["production/canary/1"].Message, "StatefulSet/store", "pod store-1", "CrashLoopBackOff",
				"cannot open the tables of v2")
			if r.Took > 3*time.Minute {
				t.Errorf("it took %s", r.Took)
			}
			s.expect("v1 v1 v1")
			s.Unchanged(before)
		})
	}
}

// The next release repairs a broken one whose undo was lost, although the controller waits for the broken pod.
func TestReleaseRepairsABrokenSet(t *testing.T) {
	t.Parallel()
	s := newStore(t, stepwise)
	s.installed()
	s.Value("Crash", "1")
	s.Value("Version", "v2")
	s.PutAs(sluice.Manager, manifests)
	s.Until("Pod", "store-1", "crashing for good", func(o sluice.Object) bool { return restarts(o) >= 3 })
	s.Value("Crash", "none")
	s.release("v3")
	r := s.Run()
	t.Logf("took %s\n%s", r.Took, r.Story())
	s.expect("v3 v3 v3")
}
