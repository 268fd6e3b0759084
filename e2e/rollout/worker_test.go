package rollout_test

import (
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
)

// worker is the Deployment alone, which no Service selects.
func worker() string {
	documents := strings.Split(web, "\n---")
	return strings.ReplaceAll(documents[0]+"\n---"+documents[2], "app: web", "app: worker")
}

// The numbers of pods divide the work of a Deployment without a Service, and the plan and the weights say its share.
func TestWorkerIsDividedByPods(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.file("canary: {steps: [{setWeight: {weight: 100}}]}")
	release := func(version string) {
		s.Value("Version", version)
		s.Write("manifests/web.yaml", worker())
	}
	release("v1")
	s.Run()
	s.file(watched)
	before := s.Snapshot()
	release("v2")
	says := func(text, want string) {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	says(s.command("plan", "-f", "deploy.yaml"), "at weight 25, 1 of 5 pods of Deployment/web are new: 20 %")
	p := s.Start("run", "-f", "deploy.yaml")
	p.Await(waits("production/canary/1"))
	s.expect("web", map[string]int{"v1": 4})
	s.expect("web-canary", map[string]int{"v2": 1})
	s.approve()
	p.Await(waits("production/canary/3"))
	s.expect("web", map[string]int{"v1": 4})
	s.expect("web-canary", map[string]int{"v2": 4})
	s.command("rollback")
	r := s.RollsBack(p)
	says(r.Story(), "1 of 5 pods of Deployment/web are new: 20 %")
	says(r.Story(), "4 of 8 pods of Deployment/web are new: 50 %, more only at promotion")
	s.expect("web", map[string]int{"v1": 4})
	s.Unchanged(before)

	release("v3")
	p = s.Start("run", "-f", "deploy.yaml")
	for _, id := range []sluice.StepID{"production/canary/1", "production/canary/3"} {
		p.Await(waits(id))
		s.approve()
	}
	r = s.Ends(sluice.StatusSucceeded, p)
	says(r.Story(), "4 of 8 pods of Deployment/web are new: 50 %, more only at promotion")
	s.expect("web", map[string]int{"v3": 4})
}
