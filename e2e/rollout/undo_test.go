package rollout_test

import (
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
)

// command runs another command of sluice, which must succeed.
func (s shop) command(args ...string) string {
	s.Helper()
	out, status := s.Sluice(args...)
	if status != 0 {
		s.Fatalf("sluice %v: status %d\n%s", args, status, out)
	}
	return out
}

func TestRollbackInMidCanaryAndAfterSuccess(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.installed(watched)
	before := s.Snapshot()
	load := s.Load("web", 80, "/version")

	s.release("v2", "green")
	p := s.Start("run", "-f", "deploy.yaml")
	p.Await(waits("production/canary/1"))
	s.command("rollback")
	s.RollsBack(p)
	s.Unchanged(before)

	p = s.Start("run", "-f", "deploy.yaml")
	for _, id := range []sluice.StepID{"production/canary/1", "production/canary/3"} {
		p.Await(waits(id))
		s.approve()
	}
	s.Ends(sluice.StatusSucceeded, p)
	s.expect("web", map[string]int{"v2": 4})

	began := time.Now()
	s.command("rollback", "--yes")
	t.Logf("back after %s", time.Since(began).Round(time.Second))
	s.expect("web", map[string]int{"v1": 4})
	s.Unchanged(before, "Deployment/web", "ConfigMap/web-*") // its pods say which deployment created them
	load.Becomes("v1")
	load.Perfect()
}
