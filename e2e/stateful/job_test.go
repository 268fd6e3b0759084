package stateful_test

import (
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
)

const jobSteps = `
canary:
  steps:
    - runJob:
        name: migrate the tables
        timeout: 3m
        inline: |
          apiVersion: batch/v1
          kind: Job
          metadata: {name: anything}
          spec:
            backoffLimit: 0
            template:
              spec:
                restartPolicy: Never
                terminationGracePeriodSeconds: 1
                containers:
                  - name: main
                    image: {{.Image}}
                    imagePullPolicy: Never
                    args: [print, "{{.Exit}}", first, "{{.Line}}"]
    - setWeight: {weight: 100}
`

func TestJobInTheCluster(t *testing.T) {
	t.Parallel()
	s := newStore(t, stepwise)
	s.Value("Exit", "0")
	s.Value("Line", "12 tables migrated")
	s.file(jobSteps, "")
	s.Write("manifests/served.yaml", served)
	before := s.Snapshot()
	r := s.Run()
	says(t, r.Story(), "stepDone production/canary/0: Job/migrate-the-tables-", "succeeded")
	s.Unchanged(before, append(podsIn(s.Snapshot()), "Deployment/served", "Service/store")...)

	s.Value("Exit", "4")
	s.Value("Line", "table orders is locked")
	s.file(jobSteps, "")
	s.Value("Version", "v2")
	s.Write("manifests/served.yaml", served)
	before = s.Snapshot()
	r = s.RollsBack(s.Start("run", "-f", "deploy.yaml"))
	t.Logf("took %s\n%s", r.Took, r.Story())
	f := r.Failures["production/canary/0"]
	says(t, f.Message, "Job/migrate-the-tables-", "table orders is locked", "pod migrate-the-tables-")
	if f.Code != sluice.Failed || r.Took > time.Minute {
		t.Errorf("code %s after %s", f.Code, r.Took)
	}
	s.Unchanged(before)
}
