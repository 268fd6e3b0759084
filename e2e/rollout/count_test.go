package rollout_test

import (
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
)

const watched = `
canary:
  steps:
    - setWeight: {weight: 25}
    - pause: {untilApproved: true}
    - setWeight: {weight: 75}
    - pause: {untilApproved: true}
    - setWeight: {weight: 100}
`

const autoscaler = `
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec:
  minReplicas: 2
  maxReplicas: 8
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}]
`

// The cluster serves no metrics, so the autoscaler itself decides nothing. The test does its work.
func TestAutoscalerGoesOnAllTheWhile(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.Value("Replicas", "") // the autoscaler's
	s.installed(watched)
	s.Put(autoscaler)
	s.Scale("Deployment", "web", 3)
	s.Ready("Deployment", "web")
	before := s.Snapshot()
	load, lowest := s.Load("web", 80, "/version"), s.Lowest("app=web")

	s.release("v2", "green")
	p := s.Start("run", "-f", "deploy.yaml")
	p.Await(waits("production/canary/1"))
	s.expect("web-canary", map[string]int{"v2": 1})
	s.Scale("Deployment", "web", 2)
	s.approve()
	p.Await(waits("production/canary/3"))
	s.expect("web", map[string]int{"v1": 2}) // only the autoscaler reduces it
	s.expect("web-canary", map[string]int{"v2": 2})
	s.Scale("Deployment", "web", 4)
	s.approve()
	r := s.Ends(sluice.StatusSucceeded, p)
	t.Logf("took %s\n%s", r.Took.Round(time.Second), r.Story())
	s.expect("web", map[string]int{"v2": 4})
	if n := s.Get("Deployment", "web").Number(-1, "spec", "replicas"); n != 4 {
		t.Errorf("the Deployment wants %d replicas", n)
	}
	if n := lowest.Stop(); n < 3 {
		t.Errorf("there were only %d ready pods once", n)
	}
	s.Unchanged(before, "Deployment/web", "ConfigMap/web*", "pods of Deployment/web")
	load.Perfect()
}

// If somebody changes a replica count that the file sets, the new count stays, also if the release is undone.
func TestHandScaledCountsComeBack(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.installed(watched)
	s.Scale("Deployment", "web", 3)
	s.Ready("Deployment", "web")
	before := s.Snapshot()
	load := s.Load("web", 80, "/version")

	s.release("v2", "green")
	p := s.Start("run", "-f", "deploy.yaml")
	p.Await(waits("production/canary/1"))
	s.approve()
	p.Await(waits("production/canary/3"))
	s.expect("web", map[string]int{"v1": 3})
	s.expect("web-canary", map[string]int{"v2": 3})
	s.command("cancel")
	r := s.Ends(sluice.StatusCancelled, p)
	t.Logf("took %s\n%s", r.Took.Round(time.Second), r.Story())
	s.Unchanged(before)
	s.expect("web", map[string]int{"v1": 3})
	load.Perfect()
}
