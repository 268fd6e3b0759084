package stateful_test

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/e2e/world"
)

const kills = 10

// moments are when sluice is killed. Their seed can be set by E2E_SEED to repeat a failure.
func moments(t *testing.T) []time.Duration {
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("E2E_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the moments come from E2E_SEED=%d", seed)
		}
	})
	random := rand.New(rand.NewPCG(seed, 0))
	list := make([]time.Duration, kills)
	for i := range list {
		list[i] = 50*time.Millisecond + time.Duration(random.Int64N(int64(1500*time.Millisecond)))
	}
	return list
}

// killed kills the process at each of the moments, counted from the first event that the process prints, and resumes it
// each time. It returns the last process, and how often the deployment was still running.
func (s store) killed(p *world.Process, at []time.Duration) (last *world.Process, times int) {
	s.Helper()
	for _, moment := range at {
		p.Await(func(world.Event) bool { return true })
		time.Sleep(moment)
		p.Kill()
		if p.Wait().Outcome != "" {
			return p, times
		}
		times++
		p = s.Start("run", "--resume")
	}
	return p, times
}

func TestUpgradeSurvivesKills(t *testing.T) {
	t.Parallel()
	s := newStore(t, stepwise)
	s.installed()
	before, order := s.Snapshot(), s.order("app=store")
	s.release("v2")
	p, times := s.killed(s.Start("run", "-f", "deploy.yaml"), moments(t))
	r := s.Ends(sluice.StatusSucceeded, p)
	t.Logf("killed %d times; then\n%s", times, r.Story())
	s.expect("v2 v2 v2")
	order.expect(s, "v2", "store-2", "store-1", "store-0")
	s.delivered(before)
}

// The second ordinal is broken, so the rollback must replace it, both in the controller's own order and in the order
// that Sluice chooses.
func TestRollbackSurvivesKills(t *testing.T) {
	t.Parallel()
	for name, annotations := range map[string]string{
		"by partition": "{}",
		"by eviction":  `{sluice-cd.github.io/primary: statefulset.kubernetes.io/pod-name=store-0}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t, stepwise)
			s.Value("Annotations", annotations)
			s.installed()
			before := s.Snapshot()
			s.Value("Crash", "1")
			s.release("v2")
			p := s.Start("run", "-f", "deploy.yaml")
			s.Until("Pod", "store-1", "crashing",
				func(pod sluice.Object) bool { return version(pod) == "v2" && restarts(pod) > 0 })
			s.must("cancel")
			p, times := s.killed(p, moments(t))
			r := s.Ends(sluice.StatusCancelled, p)
			t.Logf("killed %d times; then\n%s", times, r.Story())
			s.expect("v1 v1 v1")
			s.Unchanged(before)
		})
	}
}

func restarts(pod sluice.Object) int {
	list, _ := pod.Field("status", "containerStatuses").([]any)
	n := 0
	for _, c := range list {
		n += sluice.Object(c.(map[string]any)).Number(0, "restartCount")
	}
	return n
}
