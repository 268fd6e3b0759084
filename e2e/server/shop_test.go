package server_test

import (
	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/e2e/world"
)

// web is the application: two pods behind a Service in each cluster.
const web = `
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
      terminationGracePeriodSeconds: 1
      containers:
        - name: web
          image: {{.Image}}
          imagePullPolicy: Never
          args: [serve]
          ports: [{name: http, containerPort: 8080}]
          env: [{name: VERSION, value: "{{.Version}}"}]
          readinessProbe: {httpGet: {path: /ready, port: http}, periodSeconds: 1}
          resources: {requests: {cpu: 1m, memory: 8Mi}}
`

const deployFile = `
version: v1
kind: kubernetes
application: shop
deploymentConfig: {timeout: 15m}
targets:
  east: {account: east, namespace: "{{.East}}", strategy: rollout}
  west: {account: west, namespace: "{{.West}}", strategy: rollout}
manifests:
  - path: manifests
strategies:
  rollout:
    canary: {steps: [{{.Steps}}]}
`

// The steps of canaries.
const (
	quick = "{setWeight: {weight: 100}}"
	slow  = "{setWeight: {weight: 50}}, {pause: {duration: 3s}}, {pause: {untilApproved: true}}, " + quick
)

// release writes the deploy file for the version.
func (s *servers) release(version, steps string) {
	s.Helper()
	s.Value("East", s.east.Namespace)
	s.Value("West", s.west.Namespace)
	s.Value("Version", version)
	s.Value("Steps", steps)
	s.Write("deploy.yaml", deployFile)
	s.Write("manifests/web.yaml", web)
}

// deploys runs the deploy file through the servers to its end.
func (s *servers) deploys() world.Result {
	s.Helper()
	return s.Ends(sluice.StatusSucceeded, s.Start("run", "-f", "deploy.yaml"))
}

// answer runs another command through the servers, again while none answers: a node learns of a new server some time
// after the API server.
func (s *servers) answer(args ...string) (out string, status int) {
	s.Helper()
	s.Await("an answer of the servers", func() bool {
		out, status = s.Sluice(args...)
		return status != unavailable
	})
	return out, status
}

// must is answer for a command that must succeed.
func (s *servers) must(args ...string) string {
	s.Helper()
	out, status := s.answer(args...)
	if status != 0 {
		s.Fatalf("sluice %s: status %d\n%s", args, status, out)
	}
	return out
}

// unavailable is the exit status of a command that reached no server.
const unavailable = 5

// each calls f for both clusters.
func (s *servers) each(f func(w *world.World)) {
	s.Helper()
	f(s.east)
	f(s.west)
}

// runs fails unless in each cluster two pods of the version are ready, and nothing else is left.
func (s *servers) runs(version string) {
	s.Helper()
	s.each(func(w *world.World) {
		w.Helper()
		w.Await("two pods of "+version, func() bool {
			pods := w.PodsOf("web")
			for _, p := range pods {
				env := p.List("spec", "containers")[0].List("env")
				if env[0].Text("value") != version {
					return false
				}
			}
			return len(pods) == 2
		})
		if w.There("Deployment", "web-canary") {
			w.Errorf("the canary is left in %s", w.Cluster.Name)
		}
	})
}
