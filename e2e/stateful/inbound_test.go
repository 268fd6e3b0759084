package stateful_test

import (
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/e2e/world"
)

// inbound makes sluice listen at the bridge to this machine, where pods of the clusters can reach it.
func (s store) inbound() {
	s.Helper()
	if !world.Pair().Owned {
		s.Skip("where pods of a person's own clusters reach this machine is not known")
	}
	l, err := net.Listen("tcp", "172.29.250.1:0")
	if err != nil {
		s.Fatal(err)
	}
	defer l.Close()
	s.Configure("webhooks: {callbackAddress: \"" + l.Addr().String() + "\"}\n")
}

const exposed = `
canary:
  steps:
    - exposeServices: {services: [store], ttl: 1m}
    - pause: {untilApproved: true}
    - setWeight: {weight: 100}
`

// served is a Deployment with a Service.
const served = `
apiVersion: v1
kind: Service
metadata: {name: store}
spec: {selector: {app: served}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: served}
spec:
  selector: {matchLabels: {app: served}}
  template:
    metadata: {labels: {app: served}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: store
          image: {{.Image}}
          imagePullPolicy: Never
          args: [serve]
          env: [{name: VERSION, value: "{{.Version}}"}]
          readinessProbe: {httpGet: {path: /version, port: 8080}, periodSeconds: 1}
`

var exposedAt = regexp.MustCompile(`store at (http://\S+?),? `)

func TestServiceIsExposed(t *testing.T) {
	t.Parallel()
	s := newStore(t, exposed)
	s.inbound()
	s.Write("manifests/served.yaml", served)
	s.Run()
	s.Value("Version", "v2")
	s.Write("manifests/served.yaml", served)
	p := s.Start("run", "-f", "deploy.yaml")
	p.Await(waits("production/canary/1"))
	url := ""
	events, _ := p.Events()
	for _, e := range events {
		if e.Kind == sluice.StepDone && e.Step == "production/canary/0" {
			if m := exposedAt.FindStringSubmatch(e.Progress.Message + " "); m != nil {
				url = strings.TrimSuffix(m[1], ",")
			}
		}
	}
	if url == "" {
		t.Fatal("no event tells the URL")
	}
	if status, text := s.fetch(url + "version"); status != http.StatusOK || strings.TrimSpace(text) != "v1" {
		t.Errorf("%s answers %d %q", url, status, text)
	}
	forged := strings.TrimSuffix(url, "/") + "x/version"
	if status, text := s.fetch(forged); status != http.StatusNotFound {
		t.Errorf("a forged secret is answered %d %q", status, text)
	}
	s.Await("the URL to expire", func() bool {
		status, _ := s.fetch(url + "version")
		return status == http.StatusGone
	})
	s.approve()
	s.Ends(sluice.StatusSucceeded, p)
	if response, err := http.Get(url); err == nil {
		response.Body.Close()
		t.Error("it is served after the end")
	}
}

func (s store) fetch(url string) (int, string) {
	s.Helper()
	response, err := http.Get(url)
	if err != nil {
		s.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.Fatal(err)
	}
	return response.StatusCode, string(text)
}

const hooks = `
webhooks:
  - name: tell
    method: POST
    networkMode: remoteNetworkAgent
    agentIdentifier: cluster01
    uriTemplate: "http://store.{{.Namespace}}/hook"
    headers: [{key: Content-Type, value: application/json}]
    bodyTemplate: {inline: '{"callback": "[[armory.callbackUri]]", "deployment": "[[armory.deploymentId]]"}'}
`

// This machine reaches the receiver, a pod, only through the API server. The receiver calls back over the bridge.
func TestWebhookThroughTheCluster(t *testing.T) {
	t.Parallel()
	s := newStore(t, stepwise)
	s.inbound()
	s.Value("Constraints", "{afterDeployment: [{runWebhook: {name: tell, timeout: 2m}}]}")
	s.file(stepwise, hooks)
	s.Write("manifests/served.yaml", served)
	r := s.Run()
	t.Logf("took %s\n%s", r.Took, r.Story())
	says(t, r.Story(), "stepDone production/after/0: received in the cluster")
	pods := s.List("Pod", "app=served")
	s.Await("the receiver's record", func() bool {
		calls, err := s.Ask(pods[0].Text("metadata", "name"), "/calls")
		return err == nil && strings.Contains(calls, string(r.Deployment())+"/production/after/0") &&
			strings.Contains(calls, `"callback":"200 OK"`)
	})
}
