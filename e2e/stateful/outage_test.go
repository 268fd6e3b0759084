package stateful_test

import (
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/e2e/world"
)

const web = `
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: http}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 5
      containers:
        - name: web
          image: {{.Image}}
          imagePullPolicy: Never
          args: [serve]
          ports: [{name: http, containerPort: 8080}]
          env: [{name: VERSION, value: "{{.Version}}"}]
          readinessProbe: {httpGet: {path: /version, port: http}, periodSeconds: 1}
`

// outage is how long the API server is stopped.
const outage = 30 * time.Second

// This stops the second cluster, because most other tests use the first.
func TestAPIServerAwayInMidRollout(t *testing.T) {
	t.Parallel()
	if !world.Pair().Owned {
		t.Skip("the API servers of a person's own clusters are not stopped")
	}
	s := storeIn(t, world.Pair().Cluster02, stepwise)
	s.Configure("retryFor: 3m\n") // a busy machine starts an API server slowly
	s.both("v1")
	s.Run()
	before := s.Snapshot()

	s.both("v2")
	p := s.Start("run", "-f", "deploy.yaml")
	p.Await(world.Step(sluice.StepDone, "production/canary/0"))
	s.outage()
	r := s.Ends(sluice.StatusSucceeded, p)
	t.Logf("took %s\n%s", r.Took, r.Story())
	s.expect("v2 v2 v2")
	for _, pod := range s.List("Pod", "app=web") {
		if pod.Text("metadata", "deletionTimestamp") == "" && word(pod) != "v2" {
			t.Errorf("pod %s is %s", pod.Text("metadata", "name"), word(pod))
		}
	}
	if s.There("Deployment", "web-canary") {
		t.Error("the canary is still there")
	}
	s.Unchanged(before, append(podsIn(before, s.Snapshot()), "ConfigMap/store", "StatefulSet/store", "Deployment/web")...)
}

func (s store) both(version string) {
	s.Helper()
	s.release(version)
	s.Write("manifests/web.yaml", web)
}

// outage stops the API server for a while.
func (s store) outage() {
	s.Helper()
	if err := s.Cluster.StopAPIServer(s.Context()); err != nil {
		s.Fatal(err)
	}
	time.Sleep(outage)
	if err := s.Cluster.StartAPIServer(s.Context()); err != nil {
		s.Fatal(err)
	}
}
