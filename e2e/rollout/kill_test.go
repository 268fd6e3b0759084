package rollout_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/e2e/world"
)

// kills is how often sluice is killed in each rollout.
const kills = 10

const hasty = `
canary:
  steps:
    - setWeight: {weight: 25}
    - pause: {duration: 1s}
    - setWeight: {weight: 50}
    - pause: {duration: 1s}
    - setWeight: {weight: 75}
    - pause: {duration: 1s}
`

const hastyBlueGreen = `
blueGreen:
  redirectTrafficAfter: [{pause: {duration: 2s}}]
  shutDownOldVersionAfter: [{pause: {duration: 2s}}]
trafficManagement:
  - kubernetes: [{activeService: web, previewService: preview}]
`

// rejectable makes a rollout wait for a person once all is done. Who rejects it has all of it undone.
const rejectable = "constraints: {afterDeploymentFailure: rollBack, afterDeployment: [{pause: {untilApproved: true}}]}"

// tormented kills sluice at random moments, whenever it has carried out the deployment for a while again, and resumes it
// each time. It returns the result of the last process.
func (s shop) tormented(p *world.Process, mean time.Duration) world.Result {
	s.Helper()
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	s.Logf("the seed is %d", seed)
	for i := range kills {
		at := time.Duration(random.Int64N(int64(2 * mean)))
		select {
		case <-time.After(at):
		case <-p.Ended():
			s.Logf("it ended before kill %d", i+1)
			return p.Wait()
		}
		p.Kill()
		if events, _ := p.Events(); len(events) > 0 {
			last := events[len(events)-1]
			s.Logf("kill %d after %s, at %s %s", i+1, at.Round(time.Millisecond), last.Kind, last.Step)
		}
		p = s.Start("run", "--resume")
	}
	return p.Wait()
}

func TestCanaryIsKilledTenTimes(t *testing.T) {
	t.Parallel()
	testKilled(t, hasty, 2500*time.Millisecond)
}

func TestBlueGreenIsKilledTenTimes(t *testing.T) {
	t.Parallel()
	testKilled(t, hastyBlueGreen, 2*time.Second)
}

func testKilled(t *testing.T, strategy string, mean time.Duration) {
	s := newShop(t)
	s.installed(strategy)
	s.Put(preview)
	s.Scale("Deployment", "web", 5)
	s.Ready("Deployment", "web")
	before := s.Snapshot()
	load, lowest := s.Load("web", 80, "/version"), s.Lowest("app=web")
	s.release("v2", "green")
	r := s.tormented(s.Start("run", "-f", "deploy.yaml"), mean)
	if r.Outcome != sluice.StatusSucceeded {
		t.Errorf("the deployment ended as %q\n%s", r.Outcome, r.Story())
	}
	s.expect("web", map[string]int{"v2": 5})
	if n := lowest.Stop(); n < 5 {
		t.Errorf("there were only %d ready pods once", n)
	}
	s.Unchanged(before, "Deployment/web", "ConfigMap/web")
	share(t, after(load), 1)
	load.Perfect()
}

func TestUndoOfACanaryIsKilledTenTimes(t *testing.T) {
	t.Parallel()
	testUndoKilled(t, hasty)
}

func TestUndoOfABlueGreenIsKilledTenTimes(t *testing.T) {
	t.Parallel()
	testUndoKilled(t, hastyBlueGreen)
}

// testUndoKilled rejects the release once it is promoted: all of it has to be undone.
func testUndoKilled(t *testing.T, strategy string) {
	s := newShop(t)
	s.installed(strategy)
	s.Value("Target", rejectable)
	s.file(strategy)
	s.Put(preview)
	before := s.Snapshot()
	load, lowest := s.Load("web", 80, "/version"), s.Lowest("app=web")
	s.release("v2", "green")
	p := s.Start("run", "-f", "deploy.yaml")
	p.Await(waits("production/after/0"))
	s.expect("web", map[string]int{"v2": 4})
	s.command("reject", "--reason", "the users do not like it")
	r := s.tormented(p, 1500*time.Millisecond)
	if r.Outcome != sluice.StatusRolledBack {
		t.Errorf("the deployment ended as %q\n%s", r.Outcome, r.Story())
	}
	s.expect("web", map[string]int{"v1": 4})
	if n := lowest.Stop(); n < 4 {
		t.Errorf("there were only %d ready pods once", n)
	}
	s.Unchanged(before)
	share(t, after(load), 0)
	load.Perfect()
}
