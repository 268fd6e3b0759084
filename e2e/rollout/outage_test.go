package rollout_test

import (
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/e2e/world"
)

const patient = `
canary:
  steps:
    - setWeight: {weight: 50}
    - analysis: {queries: [failing], interval: 5s, numberOfJudgmentRuns: 4}
`

const outage = 2 * time.Minute

func TestPrometheusAwayForTwoMinutes(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	m := s.Monitor()
	s.installed(patient + failing)
	load := s.Load("web", 80, "/version")
	s.release("v2", "green")
	p := s.Start("run", "-f", "deploy.yaml")
	p.Await(func(e world.Event) bool {
		return e.Step == "production/canary/1" && e.Progress != nil && e.Progress.Result != nil &&
			len(e.Progress.Result.Judgment.Samples) > 0
	})
	m.Stop()
	time.Sleep(5 * time.Second) // samples on the way
	before := load.Counts()
	time.Sleep(outage - 5*time.Second)
	share(t, load.Counts().Since(before), 0.5)
	s.expect("web", map[string]int{"v1": 4})
	s.expect("web-canary", map[string]int{"v2": 4})
	m.Start()
	back := time.Now()
	r := s.Ends(sluice.StatusSucceeded, p)
	t.Logf("took %s, %s of it after Prometheus was back", r.Took.Round(time.Second), time.Since(back).Round(time.Second))
	s.expect("web", map[string]int{"v2": 4})
	for _, e := range r.Events {
		if e.Kind == sluice.StepUndoing || e.Kind == sluice.StepFailed {
			t.Errorf("%s %s", e.Kind, e.Step)
		}
	}
	load.Perfect()
}
