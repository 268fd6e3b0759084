package rollout_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/e2e/world"
)

// web is the application: a Deployment behind a Service, with a ConfigMap. The manifest sets no number of replicas.
const web = `
apiVersion: v1
kind: ConfigMap
metadata: {name: web}
data: {color: "{{.Color}}"}
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
  {{.Replicas}}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 10
      containers:
        - name: web
          image: {{.Image}}
          imagePullPolicy: {{.Pull}}
          args: [serve]
          ports: [{name: http, containerPort: 8080}]
          env:
            - {name: VERSION, value: "{{.Version}}"}
            - {name: ERRORS, value: "{{.Errors}}"}
            - {name: COLOR, valueFrom: {configMapKeyRef: {name: web, key: color}}}
          readinessProbe: {httpGet: {path: /ready, port: http}, periodSeconds: 1}
          resources: {requests: {cpu: 1m, memory: 8Mi}}
`

// deployFile lacks its strategy.
const deployFile = `
version: v1
kind: kubernetes
application: shop
deploymentConfig: {timeout: 5m}
targets:
  production:
    account: cluster01
    namespace: "{{.Namespace}}"
    strategy: rollout
    {{.Target}}
manifests:
  - path: manifests
strategies:
  rollout:
`

// A shop is a world with the application.
type shop struct{ *world.World }

// newShop returns a shop without any deployment.
func newShop(t *testing.T) shop {
	t.Helper()
	s := shop{world.New(t)}
	for name, value := range map[string]string{"Target": "", "Replicas": "replicas: 4", "Pull": "Never", "Errors": "0",
		"Color": "blue"} {
		s.Value(name, value)
	}
	return s
}

// file writes the deploy file with the strategy, and after it other keys, which begin at the start of a line.
func (s shop) file(strategy string) {
	s.Helper()
	strategy, rest := parted(strategy)
	s.Write("deploy.yaml", deployFile+indent(4, strategy)+rest)
}

// parted splits the text after the strategy, which is its first key.
func parted(text string) (strategy, rest string) {
	lines := strings.Split(strings.TrimLeft(text, "\n"), "\n")
	for i := 1; i < len(lines); i++ {
		if lines[i] != "" && !strings.HasPrefix(lines[i], " ") {
			return strings.Join(lines[:i], "\n"), strings.Join(lines[i:], "\n")
		}
	}
	return text, ""
}

func indent(n int, text string) string {
	pad := strings.Repeat(" ", n)
	return pad + strings.ReplaceAll(strings.Trim(text, "\n"), "\n", "\n"+pad) + "\n"
}

// release writes the manifests of the version.
func (s shop) release(version, color string) {
	s.Helper()
	s.Value("Version", version)
	s.Value("Color", color)
	s.Write("manifests/web.yaml", web)
}

// installed delivers v1 blue and leaves the deploy file with the strategy for the next release.
func (s shop) installed(strategy string) {
	s.Helper()
	s.file("canary: {steps: [{setWeight: {weight: 100}}]}")
	s.release("v1", "blue")
	s.Run()
	s.file(strategy)
}

// running returns how many pods of the Deployment are ready, by version.
func (s shop) running(deployment string) map[string]int {
	s.Helper()
	n := map[string]int{}
	for _, p := range s.PodsOf(deployment) {
		if isTrue(p, "Ready") {
			n[version(p)]++
		}
	}
	return n
}

func version(pod sluice.Object) string {
	containers, _ := pod.Field("spec", "containers").([]any)
	return variable(containers[0].(map[string]any), "VERSION")
}

// variable returns the value of a container's variable.
func variable(container sluice.Object, name string) string {
	env, _ := container["env"].([]any)
	for _, e := range env {
		if e := sluice.Object(e.(map[string]any)); e.Text("name") == name {
			return e.Text("value")
		}
	}
	return ""
}

func isTrue(o sluice.Object, condition string) bool {
	conditions, _ := o.Field("status", "conditions").([]any)
	for _, c := range conditions {
		if c := sluice.Object(c.(map[string]any)); c.Text("type") == condition {
			return c.Text("status") == "True"
		}
	}
	return false
}

// expect fails if the Deployment has other ready pods.
func (s shop) expect(deployment string, want map[string]int) {
	s.Helper()
	if got := s.running(deployment); fmt.Sprint(got) != fmt.Sprint(want) {
		s.Errorf("ready pods of %s: %v, want %v", deployment, got, want)
	}
}
