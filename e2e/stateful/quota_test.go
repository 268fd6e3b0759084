package stateful_test

import (
	"testing"
	"time"
)

const quota = `
apiVersion: v1
kind: ResourceQuota
metadata: {name: small}
spec: {hard: {requests.memory: 25Mi}}
`

// Two pods of 8 MiB run; one of 100 MiB has no room in the quota.
func TestQuotaIsTooSmall(t *testing.T) {
	t.Parallel()
	s := newStore(t, "canary: {steps: [{setWeight: {weight: 50}}, {setWeight: {weight: 100}}]}")
	s.Put(quota)
	s.Value("Memory", "8Mi")
	s.Write("manifests/worker.yaml", worker)
	s.Run()
	before := s.Snapshot()

	s.Value("Version", "v2")
	s.Value("Memory", "100Mi")
	s.Write("manifests/worker.yaml", worker)
	r := s.RollsBack(s.Start("run", "-f", "deploy.yaml"))
	t.Logf("took %s\n%s", r.Took, r.Story())
	says(t, r.Failures["production/apply"].Message, "Deployment/worker-canary", "exceeded quota: small", "requests.memory")
	if r.Took > time.Minute {
		t.Errorf("it took %s", r.Took)
	}
	s.Unchanged(before)
}

// worker is a Deployment without a Service.
const worker = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: worker}
spec:
  replicas: 2
  minReadySeconds: 2
  selector: {matchLabels: {app: worker}}
  template:
    metadata: {labels: {app: worker}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: worker
          image: {{.Image}}
          imagePullPolicy: {{.Pull}}
          args: {{.Args}}
          env: [{name: VERSION, value: "{{.Version}}"}]
          resources: {requests: {memory: {{.Memory}}}}
      {{.Node}}
`
