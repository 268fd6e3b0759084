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

// rejectable makes a rollout wait for a person at the end. Rejecting it undoes all of it.
const rejectable = "constraints: {afterDeploymentFailure: rollBack, afterDeployment: [{pause: {untilApproved: true}}]}"

// tormented kills sluice ten times and resumes it. Each kill comes at a random moment after one of the next events of
// the deployment, or after some time without events. It returns the result of the last process.
func (s shop) tormented(p *world.Process) world.Result {
	s.Helper()
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	s.Logf("the seed is %d", seed)
	p.Await(world.Kind(sluice.DeploymentStarted)) // before that there is nothing to resume
	last, _ := p.Latest()
	for i := range kills {
		late := time.After(time.Duration(random.Int64N(int64(4 * time.Second))))
		if !reaches(p, last+sluice.Seq(1+random.IntN(3)), late) {
			s.Logf("it ended before kill %d", i+1)
			break
		}
		time.Sleep(time.Duration(random.Int64N(int64(time.Second))))
		p.Kill()
		seq, what := p.Latest()
		last = max(last, seq)
		s.Logf("kill %d behind %s", i+1, what)
		if p.Wait().Outcome != "" {
			break
		}
		p = s.Start("run", "--resume")
	}
	return p.Wait()
}

// reaches waits for the event with the number, or until it is late. It returns false if the process ends first.
func reaches(p *world.Process, seq sluice.Seq, late <-chan time.Time) bool {
	for {
		_, news := p.Events()
		if at, _ := p.Latest(); at >= seq {
			return true
		}
		select {
		case <-news:
		case <-late:
			return true
		case <-p.Ended():
			return false
		}
	}
}

func TestCanaryIsKilledTenTimes(t *testing.T) {
	t.Parallel()
	testKilled(t, hasty)
}

func TestBlueGreenIsKilledTenTimes(t *testing.T) {
	t.Parallel()
	testKilled(t, hastyBlueGreen)
}

func testKilled(t *testing.T, strategy string) {
	s := newShop(t)
	s.installed(strategy)
	s.Put(preview)
	s.Scale("Deployment", "web", 5)
	s.Ready("Deployment", "web")
	before := s.Snapshot()
	load, lowest := s.Load("web", 80, "/version"), s.Lowest("app=web")
	s.release("v2", "green")
	r := s.tormented(s.Start("run", "-f", "deploy.yaml"))
	if r.Outcome != sluice.StatusSucceeded {
		t.Errorf("the deployment ended as %q\n%s", r.Outcome, r.Story())
	}
	s.expect("web", map[string]int{"v2": 5})
	if n := lowest.Stop(); n < 5 {
		t.Errorf("there were only %d ready pods once", n)
	}
	s.Unchanged(before, "Deployment/web", "ConfigMap/web*")
	load.Becomes("v2")
	load.Perfect()
}

// A release that is rejected after its promotion goes back completely, although the old version had only one pod left
// when it was replaced.
func TestRejectedAfterPromotion(t *testing.T) {
	t.Parallel()
	testRejected(t, hasty, func(p *world.Process) world.Result { return p.Wait() })
}

func TestUndoOfACanaryIsKilledTenTimes(t *testing.T) {
	t.Parallel()
	testRejected(t, hasty, nil)
}

func TestUndoOfABlueGreenIsKilledTenTimes(t *testing.T) {
	t.Parallel()
	testRejected(t, hastyBlueGreen, nil)
}

// testRejected rejects the release when it is promoted. All of it must be undone. end waits for the end; with nil the
// process is killed again and again meanwhile.
func testRejected(t *testing.T, strategy string, end func(*world.Process) world.Result) {
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
	if end == nil {
		end = s.tormented
	}
	r := end(p)
	if r.Outcome != sluice.StatusRolledBack {
		t.Errorf("the deployment ended as %q\n%s", r.Outcome, r.Story())
	}
	s.expect("web", map[string]int{"v1": 4})
	if n := lowest.Stop(); n < 4 {
		t.Errorf("there were only %d ready pods once", n)
	}
	s.Unchanged(before)
	load.Becomes("v1")
	load.Perfect()
}
