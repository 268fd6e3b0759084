package server_test

import (
	"slices"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/e2e/world"
)

// takeover is how soon another server has to go on with a deployment after its own was killed.
const takeover = 10 * time.Second

// Three servers with PostgreSQL, as the chart installs them.
func TestSeveralServers(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	s := newServers(t)
	s.told()
	s.installChart(d.url)
	s.release("v1", quick)
	s.refusals()
	s.aPodDeploys()
	s.runs("v1")

	token := s.teamToken()
	s.as(token)
	s.release("v2", slow)
	s.aServerIsKilled(d, "east/apply") // its pods start
	s.runs("v2")

	s.release("v3", slow)
	s.aServerIsKilled(d, "east/canary/0") // the first gets traffic
	s.runs("v3")

	s.release("v4", slow)
	s.allServersAreReplaced(token)
	s.runs("v4")
}

// aServerIsKilled kills the server that runs a deployment when it begins the step. Another one goes on: nothing is
// lost, and nothing is done twice.
func (s *servers) aServerIsKilled(d database, step sluice.StepID) {
	s.Helper()
	s.Kubectl("rollout", "status", "deployment/sluice", "--timeout=5m")
	others, end := s.pods(), s.alone()
	east, west := s.east.Started("app=web"), s.west.Started("app=web")
	p := s.Start("run", "-f", "deploy.yaml")
	p.Await(world.Kind(sluice.DeploymentStarted))
	id := deployment(p)
	pod := s.runner(id, sluice.DeploymentStarted)
	process, was := s.process(pod), d.holders(s.T)
	if len(was) != 1 {
		s.Fatalf("the sessions %v hold leases, want one", was)
	}
	p.Await(world.Step(sluice.StepStarting, step))
	at := time.Now()
	s.kill(process, pod)
	s.Await("another server to go on", func() bool {
		now := d.holders(s.T)
		return len(now) == 1 && !slices.Contains(was, now[0])
	})
	took := time.Since(at)
	s.Logf("another server went on after %s", took.Round(10*time.Millisecond))
	if took > takeover {
		s.Errorf("another server has to go on within %s", takeover)
	}
	end()
	s.approveBoth(p)
	r := s.Ends(sluice.StatusSucceeded, p)
	s.Logf("%s was killed at %s\n%s", pod, at.UTC().Format("15:04:05.000"), r.Story())
	s.once(r)
	if heir := s.runner(id, sluice.DeploymentEnded); heir == pod || !slices.Contains(others, heir) {
		s.Errorf("%s ended the deployment, want another one of %v than %s", heir, others, pod)
	}
	s.startedTwo(east, west)
}

// allServersAreReplaced restarts the servers one after the other while a deployment runs. Nobody notices.
func (s *servers) allServersAreReplaced(token string) {
	s.Helper()
	east, west := s.east.Started("app=web"), s.west.Started("app=web")
	calls := s.call(token)
	p := s.Start("run", "-f", "deploy.yaml")
	p.Await(world.Step(sluice.StepStarting, "east/canary/0"))
	before := s.pods()
	s.Kubectl("rollout", "restart", "deployment/sluice")
	s.Kubectl("rollout", "status", "deployment/sluice", "--timeout=5m")
	for _, pod := range s.pods() {
		if slices.Contains(before, pod) {
			s.Errorf("%s was not replaced", pod)
		}
	}
	s.approveBoth(p)
	r := s.Ends(sluice.StatusSucceeded, p)
	s.Logf("took %s\n%s", r.Took, r.Story())
	s.once(r)
	s.startedTwo(east, west)
	calls.perfect()
}

// startedTwo fails unless two pods were started in each cluster.
func (s *servers) startedTwo(east, west *world.Started) {
	s.Helper()
	if e, w := east.Count(), west.Count(); e != 2 || w != 2 {
		s.Errorf("%d and %d pods were started, want 2 in each cluster", e, w)
	}
}

// deployment returns the deployment of a process that has printed an event.
func deployment(p *world.Process) sluice.DeploymentID {
	events, _ := p.Events()
	return events[0].Deployment
}

// approveBoth approves the gate of both targets when they wait.
func (s *servers) approveBoth(p *world.Process) {
	s.Helper()
	for _, target := range []string{"east", "west"} {
		gate := sluice.StepID(target + "/canary/2")
		p.Await(func(e world.Event) bool {
			return e.Step == gate && e.Kind == sluice.StepProgressed && e.Progress != nil && e.Progress.State == sluice.Waiting
		})
		s.must("approve", string(deployment(p)), string(gate))
	}
}

// once fails unless the events have no gap, and no step began or ended twice.
func (s *servers) once(r world.Result) {
	s.Helper()
	type one struct {
		kind sluice.EventKind
		step sluice.StepID
	}
	next, seen := sluice.Seq(1), map[one]int{}
	for _, e := range r.Events {
		if e.Seq == 0 {
			continue // the outcome
		}
		if e.Seq != next {
			s.Errorf("the event after %d is %d", next-1, e.Seq)
		}
		next = e.Seq + 1
		switch e.Kind {
		case sluice.StepStarting, sluice.StepDone, sluice.StepFinishing, sluice.StepFinished,
			sluice.DeploymentEnded:
			if seen[one{e.Kind, e.Step}]++; seen[one{e.Kind, e.Step}] > 1 {
				s.Errorf("%s %s is there twice", e.Kind, e.Step)
			}
		case sluice.StepFailed, sluice.StepRetrying, sluice.StepFinishFailed, sluice.StepUndoing:
			s.Errorf("%s %s: %+v", e.Kind, e.Step, e.Failure)
		}
	}
}
