package stateful_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/e2e/cluster"
	"github.com/sluice-cd/sluice/e2e/world"
)

// manifests are the application: a StatefulSet of three with a Service of its own and a ConfigMap.
const manifests = `
apiVersion: v1
kind: ConfigMap
metadata: {name: store}
data: {version: "{{.Version}}"}
---
apiVersion: v1
kind: Service
metadata: {name: store}
spec: {clusterIP: None, selector: {app: store}, ports: [{name: http, port: 8080}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: store, annotations: {{.Annotations}}}
spec:
  serviceName: store
  replicas: 3
  podManagementPolicy: {{.Policy}}
  updateStrategy: {{.Update}}
  selector: {matchLabels: {app: store}}
  template:
    metadata: {labels: {app: store}}
    spec:
      terminationGracePeriodSeconds: 5
      containers:
        - name: store
          image: {{.Image}}
          imagePullPolicy: Never
          args: [serve]
          ports: [{name: http, containerPort: 8080}]
          env:
            - {name: VERSION, value: "{{.Version}}"}
            - {name: CRASH, value: "{{.Crash}}"}
            - {name: PRIMARY, value: "{{.Primary}}"}
          readinessProbe: {httpGet: {path: /version, port: http}, periodSeconds: 1,
            initialDelaySeconds: {{.Delay}}}
          resources: {requests: {cpu: 1m, memory: 8Mi}}
          {{.Mounts}}
  {{.Claims}}
`

const gated = `
canary:
  steps:
    - setWeight: {weight: 33}
    - pause: {untilApproved: true}
    - setWeight: {weight: 66}
    - pause: {untilApproved: true}
    - setWeight: {weight: 100}
    - pause: {untilApproved: true}
`

const stepwise = `
canary:
  steps:
    - setWeight: {weight: 33}
    - setWeight: {weight: 66}
    - setWeight: {weight: 100}
`

// A store is a world with the application.
type store struct {
	*world.World
	strategy string
}

// newStore returns a store in the first cluster, without any deployment.
func newStore(t *testing.T, strategy string) store {
	t.Helper()
	return storeIn(t, world.Pair().Cluster01, strategy)
}

func storeIn(t *testing.T, c *cluster.Cluster, strategy string) store {
	t.Helper()
	s := store{world.In(t, c), strategy}
	for name, value := range map[string]string{
		"Image": storeImage, "Policy": "OrderedReady", "Update": "{type: RollingUpdate}", "Annotations": "{}",
		"Crash": "none", "Primary": "none", "Mounts": "", "Claims": "", "Version": "v1",
		"Pull": "Never", "Args": "[serve]", "Memory": "8Mi", "Node": "", "Constraints": "{}",
		"Delay": "0",
	} {
		s.Value(name, value)
	}
	s.file(strategy, "")
	return s
}

// file writes the deploy file with the strategy and more, which begins at the start of a line.
func (s store) file(strategy, more string) {
	s.Helper()
	s.Write("deploy.yaml", `
version: v1
kind: kubernetes
application: store
deploymentConfig: {timeout: 5m}
targets:
  production: {account: `+s.Cluster.Name+`, namespace: "{{.Namespace}}", strategy: rollout, `+
		`constraints: {{.Constraints}}}
manifests:
  - path: manifests
strategies:
  rollout:
`+indent(strategy)+more)
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.Trim(text, "\n"), "\n", "\n    ") + "\n"
}

// release writes the manifests of the version.
func (s store) release(version string) {
	s.Helper()
	s.Value("Version", version)
	s.Write("manifests/store.yaml", manifests)
}

// installed delivers v1 without gates.
func (s store) installed() {
	s.Helper()
	s.file(stepwise, "")
	s.release("v1")
	s.Run()
	s.file(s.strategy, "")
	s.expect("v1 v1 v1")
}

// approve approves the step.
func (s store) approve() {
	s.Helper()
	s.must("approve")
}

// must runs a command of sluice, which must succeed.
func (s store) must(args ...string) string {
	s.Helper()
	out, status := s.Sluice(args...)
	if status != 0 {
		s.Fatalf("sluice %s: status %d\n%s", strings.Join(args, " "), status, out)
	}
	return out
}

// waits selects the event that a step waits for a person.
func waits(id sluice.StepID) func(world.Event) bool {
	return func(e world.Event) bool {
		return e.Step == id && e.Kind == sluice.StepProgressed && e.Progress != nil && e.Progress.State == sluice.Waiting
	}
}

// expect fails if the pods have other versions, in the order of their ordinals. A mark follows a pod that is not ready.
func (s store) expect(want string) {
	s.Helper()
	if got := s.versions(); got != want {
		s.Errorf("the pods are %s, want %s", got, want)
	}
}

func (s store) versions() string {
	s.Helper()
	var words []string
	for _, p := range s.List("Pod", "app=store") {
		words = append(words, word(p))
	}
	return strings.Join(words, " ")
}

func word(pod sluice.Object) string {
	if !isReady(pod) {
		return version(pod) + "?"
	}
	return version(pod)
}

func version(pod sluice.Object) string {
	containers, _ := pod.Field("spec", "containers").([]any)
	for _, e := range containers[0].(map[string]any)["env"].([]any) {
		if e := sluice.Object(e.(map[string]any)); e.Text("name") == "VERSION" {
			return e.Text("value")
		}
	}
	return ""
}

func isReady(pod sluice.Object) bool {
	conditions, _ := pod.Field("status", "conditions").([]any)
	for _, c := range conditions {
		if c := sluice.Object(c.(map[string]any)); c.Text("type") == "Ready" {
			return c.Text("status") == "True" && pod.Text("metadata", "deletionTimestamp") == ""
		}
	}
	return false
}

// delivered fails unless only the application has changed and the StatefulSet is as declared.
func (s store) delivered(before world.Snapshot) {
	s.Helper()
	now := s.Snapshot()
	s.Unchanged(before, append(podsIn(before, now), "ConfigMap/store", "StatefulSet/store")...)
	was, is := before["StatefulSet/store"].(sluice.Object), now["StatefulSet/store"].(sluice.Object)
	for _, path := range [][]string{{"spec", "updateStrategy"}, {"spec", "replicas"}, {"metadata", "annotations"}} {
		if a, b := fmt.Sprint(was.Field(path...)), fmt.Sprint(is.Field(path...)); a != b {
			s.Errorf("%s was %s and is %s", strings.Join(path, "."), a, b)
		}
	}
}

func podsIn(all ...world.Snapshot) []string {
	var keys []string
	for _, one := range all {
		for key := range maps.Keys(one) {
			if strings.HasPrefix(key, "pods of ") {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// says fails unless the text has every one of the words.
func says(t testing.TB, text string, words ...string) {
	t.Helper()
	if missing := slices.DeleteFunc(slices.Clone(words),
		func(w string) bool { return strings.Contains(text, w) }); len(missing) > 0 {
		t.Errorf("%q is not said in:\n%s", missing, text)
	}
}
