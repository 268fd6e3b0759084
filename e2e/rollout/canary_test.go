package rollout_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/e2e/world"
)

// failing is the share of failed requests of the new version, which the query selects by the annotations of its pods.
const failing = `
analysis:
  defaultMetricProviderName: prometheus
  queries:
    - name: failing
      upperLimit: 0.05
      queryTemplate: >-
        sum(rate(http_requests_total{job="pods",code="500"}[5s]) * on (pod) group_left ()
        kube_pod_annotations{annotation_deploy_armory_io_replica_set_name="[[armory.replicaSetName]]"})
        / sum(rate(http_requests_total{job="pods"}[5s]) * on (pod) group_left ()
        kube_pod_annotations{annotation_deploy_armory_io_replica_set_name="[[armory.replicaSetName]]"})
`

const analysed = `
canary:
  steps:
    - setWeight: {weight: 25}
    - analysis: {queries: [failing], interval: 4s, numberOfJudgmentRuns: 2}
    - pause: {untilApproved: true}
    - setWeight: {weight: 50}
    - pause: {untilApproved: true}
    - setWeight: {weight: 100}
`

const budget = `
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {minAvailable: 4, selector: {matchLabels: {app: web}}}
`

func waits(id sluice.StepID) func(world.Event) bool {
	return func(e world.Event) bool {
		return e.Step == id && e.Kind == sluice.StepProgressed && e.Progress != nil && e.Progress.State == sluice.Waiting
	}
}

func (s shop) approve() {
	s.Helper()
	if out, status := s.Sluice("approve"); status != 0 {
		s.Fatalf("approve: status %d\n%s", status, out)
	}
}

func TestCanaryIsPromoted(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	m := s.Monitor()
	s.installed(analysed + failing)
	s.Put(budget)
	s.Scale("Deployment", "web", 5)
	s.Ready("Deployment", "web")
	before := s.Snapshot()
	load, lowest := s.Load("web", 80, "/version"), s.Lowest("app=web")

	s.release("v2", "green")
	p := s.Start("run", "-f", "deploy.yaml")
	p.Await(waits("production/canary/2"))
	s.expect("web", map[string]int{"v1": 5})
	s.expect("web-canary", map[string]int{"v2": 2})
	s.stamped(m)
	at := load.Counts()
	if at.Of("v1 blue") == 0 || at.Of("v2 green") == 0 || at.Of("v1 green")+at.Of("v2 blue") != 0 {
		t.Errorf("each version has its own configuration until promotion: %s", at)
	}
	s.approve()
	p.Await(waits("production/canary/4"))
	s.expect("web", map[string]int{"v1": 5})
	s.expect("web-canary", map[string]int{"v2": 5})
	load.Shares("v2")
	s.approve()
	r := s.Ends(sluice.StatusSucceeded, p)
	t.Logf("took %s\n%s", r.Took.Round(time.Second), r.Story())
	load.Becomes("v2")

	s.expect("web", map[string]int{"v2": 5})
	if n := lowest.Stop(); n < 5 {
		t.Errorf("there were only %d ready pods once", n)
	}
	s.Unchanged(before, "Deployment/web", "ConfigMap/web*")
	if got := s.Get("ConfigMap", "web").Text("data", "color"); got != "green" {
		t.Errorf("the configuration is %q", got)
	}
	load.Perfect()
}

// share fails unless about so many of the requests were answered by v2.
func share(t *testing.T, c world.Counts, want float64) {
	t.Helper()
	got := float64(c.Of("v2")) / float64(max(1, c.Requests))
	if got < want-0.2 || got > want+0.2 {
		t.Errorf("%.2f of the requests went to the new version, want %.2f: %s", got, want, c)
	}
}

// stamped fails unless the canary's pods say which deployment they belong to and a query selects them by that.
func (s shop) stamped(m *world.Monitor) {
	s.Helper()
	for _, p := range s.PodsOf("web-canary") {
		got := map[string]string{}
		containers, _ := p.Field("spec", "containers").([]any)
		for annotation, name := range map[string]string{
			"application": "APPLICATION_NAME", "deployment-id": "DEPLOYMENT_ID", "environment": "ENVIRONMENT_NAME",
			"replica-set-name": "REPLICA_SET_NAME",
		} {
			value := world.Annotation(p, "deploy.armory.io/"+annotation)
			if v := variable(containers[0].(map[string]any), "ARMORY_"+name); v != value || v == "" {
				s.Errorf("annotation %s is %q, the variable %q", annotation, value, v)
			}
			got[annotation] = value
		}
		if got["application"] != "shop" || got["environment"] != "production" {
			s.Errorf("the canary's pods say %v", got)
		}
		query := fmt.Sprintf(`kube_pod_annotations{annotation_deploy_armory_io_replica_set_name=%q}`, got["replica-set-name"])
		if n := len(m.Query(query)); n != 2 {
			s.Errorf("%s selects %d pods", query, n)
		}
	}
}

func TestBadCanaryIsRolledBack(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.Monitor()
	s.installed(analysed + failing)
	s.Put(budget)
	before, service := s.Snapshot(), s.Get("Service", "web")
	load := s.Load("web", 80, "/version")

	s.Value("Errors", "30")
	s.release("v2", "green")
	r := s.RollsBack(s.Start("run", "-f", "deploy.yaml"))
	t.Logf("took %s\n%s", r.Took.Round(time.Second), r.Story())
	if f := r.Failures["production/canary/1"]; f.Code != sluice.Failed || f.Result == nil || f.Result.Judgment == nil ||
		f.Result.Judgment.Verdict != sluice.Bad {
		t.Errorf("the analysis ended with %+v", f)
	}
	load.Becomes("v1")
	s.Unchanged(before)
	s.expect("web", map[string]int{"v1": 4})
	if diff := cmp.Diff(service["spec"], s.Get("Service", "web")["spec"]); diff != "" {
		t.Errorf("the Service is not as it was:\n%s", diff)
	}
	c := load.Stop()
	if c.Unanswered > 0 || c.Failed() > c.Answers["500 v2 green"] {
		t.Errorf("requests failed beyond those of the bad version: %s", c)
	}
}
