package rollout_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/e2e/world"
)

// endless are steps that wait for longer than a test takes.
var endless = map[string]string{
	"pause":    "pause: {duration: 1h}",
	"approval": "pause: {untilApproved: true}",
	"analysis": "analysis: {queries: [failing], interval: 5s, numberOfJudgmentRuns: 1000}",
	"callback": "runWebhook: {name: tests}",
	"waitFor":  "waitFor: {object: ConfigMap/absent, jsonPath: .data.x, timeout: 1h}",
	"runJob":   "runJob: {name: forever, path: jobs/forever.yaml}",
}

const forever = `
apiVersion: batch/v1
kind: Job
metadata: {name: forever}
spec:
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 1
      containers: [{name: main, image: {{.Image}}, imagePullPolicy: Never, args: [serve]}]
`

// newEndless returns a shop in version v1 whose next release waits at the step.
func newEndless(t *testing.T, name, strategy string) shop {
	s := newShop(t)
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(silent.Close)
	s.Configure("webhooks: {allow: [127.0.0.1]}\n")
	if name == "analysis" {
		s.Monitor()
		strategy += failing
	}
	s.Write("jobs/forever.yaml", forever)
	s.installed(strategy + fmt.Sprintf(`
webhooks: [{name: tests, method: POST, networkMode: direct, uriTemplate: %q}]
`, silent.URL))
	s.release("v2", "green")
	return s
}

// crash ends the program of a pod of the Deployment, and returns the pod's name.
func (s shop) crash(deployment string) string {
	s.Helper()
	pod := s.PodsOf(deployment)[0].Text("metadata", "name")
	if answer, err := s.Ask(pod, "/crash"); err == nil {
		s.Fatalf("%s answers %q", pod, answer)
	}
	return pod
}

// crashed fails unless the step failed because of the pod, and v1 runs as before.
func (s shop) crashed(p *world.Process, id sluice.StepID, pod string, before world.Snapshot) {
	s.Helper()
	r := s.RollsBack(p)
	failure := r.Failures[id]
	for _, word := range []string{pod, "crashed", "status 3", "restarts: 1", "asked to crash"} {
		if !strings.Contains(failure.Message, word) {
			s.Errorf("%q does not say %q", failure.Message, word)
		}
	}
	s.expect("web", map[string]int{"v1": 4})
	s.Unchanged(before)
}

// soon is how long a crash may take to be seen.
const soon = 30 * time.Second

func TestCrashEndsEveryKindOfWait(t *testing.T) {
	t.Parallel()
	for name, wait := range endless {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newEndless(t, name, "canary: {steps: [{setWeight: {weight: 25}}, {"+wait+"}]}\n")
			before := s.Snapshot()
			p := s.Start("run", "-f", "deploy.yaml")
			p.Await(world.Step(sluice.StepStarting, "production/canary/1"))
			pod, at := s.crash("web-canary"), time.Now()
			s.crashed(p, "production/canary/1", pod, before)
			if took := time.Since(at); took > soon {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// After promotion the Deployment itself is guarded.
func TestCrashAfterPromotion(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.installed(hasty)
	s.Value("Target", rejectable)
	s.file(hasty)
	before := s.Snapshot()
	s.release("v2", "green")
	p := s.Start("run", "-f", "deploy.yaml")
	p.Await(waits("production/after/0"))
	s.crashed(p, "production/after/0", s.crash("web"), before)
}

// A crash while nobody runs the deployment is seen when it is resumed, although the pod is ready again.
func TestCrashWhileSluiceIsDead(t *testing.T) {
	t.Parallel()
	s := newEndless(t, "pause", "canary: {steps: [{setWeight: {weight: 25}}, {"+endless["pause"]+"}]}\n")
	before := s.Snapshot()
	p := s.Start("run", "-f", "deploy.yaml")
	p.Await(waits("production/canary/1"))
	p.Kill()
	pod := s.crash("web-canary")
	s.Until("Pod", pod, "ready again", func(o sluice.Object) bool {
		statuses := o.List("status", "containerStatuses")
		return len(statuses) == 1 && statuses[0].Number(0, "restartCount") == 1 && isTrue(o, "Ready")
	})
	s.crashed(s.Start("run", "--resume"), "production/canary/1", pod, before)
}
