package stateful_test

import (
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
)

// A failure that cannot heal is reported long before the timeout, with the pod's name.
func TestWhatCannotHealFailsEarly(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		values map[string]string
		within time.Duration
		says   []string
	}{
		"an image that is not there": {map[string]string{"Image": "sluice-e2e/nosuch:1"}, 30 * time.Second,
			[]string{"ErrImageNeverPull"}},
		"a bad image name": {map[string]string{"Image": "'Not An Image'"}, 30 * time.Second, []string{"InvalidImageName"}},
		"a registry that is not there": {
			map[string]string{"Image": "registry.invalid/store:1", "Pull": "Always"}, 100 * time.Second,
			[]string{"Pull", "registry.invalid"},
		},
		"a crash loop": {
			map[string]string{"Args": `[print, "3", "the first line", "no such table: orders"]`}, 2 * time.Minute,
			[]string{"CrashLoopBackOff", "status 3", "restarted 3 times", "no such table: orders"},
		},
		"no node": {map[string]string{"Node": "nodeSelector: {disk: golden}"}, 90 * time.Second,
			[]string{"no node takes it", "node affinity"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t, "canary: {steps: [{setWeight: {weight: 50}}]}")
			s.file(s.strategy, "")
			before := s.Snapshot()
			for key, value := range tt.values {
				s.Value(key, value)
			}
			s.Write("manifests/worker.yaml", worker)
			r := s.RollsBack(s.Start("run", "-f", "deploy.yaml"))
			t.Logf("took %s\n%s", r.Took, r.Story())
			f := r.Failures["production/apply"]
			says(t, f.Message, append(tt.says, "Deployment/worker", "pod worker-")...)
			if f.Code != sluice.Failed {
				t.Errorf("the code is %s", f.Code)
			}
			if r.Took > tt.within {
				t.Errorf("it took %s, want %s at most", r.Took, tt.within)
			}
			s.Unchanged(before)
		})
	}
}
