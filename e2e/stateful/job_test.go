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
            ttlSecondsAfterFinished: 0
            template:
              spec:
                restartPolicy: {{.Restart}}
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
	s.Value("Restart", "Never")
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
	s.Value("Version", "v2")
	for _, restart := range []string{"Never", "OnFailure"} { // in the second case the Job's controller deletes the pod
		s.Value("Restart", restart)
		s.file(jobSteps, "")
		s.Write("manifests/served.yaml", served)
		before = s.Snapshot()
		r = s.RollsBack(s.Start("run", "-f", "deploy.yaml"))
		t.Logf("took %s\n%s", r.Took, r.Story())
		f := r.Failures["production/canary/0"]
		says(t, f.Message, "Job/migrate-the-tables-", "table orders is locked", "pod migrate-the-tables-", "status 4")
		if f.Code != sluice.Failed || r.Took > time.Minute {
			t.Errorf("code %s after %s", f.Code, r.Took)
		}
		s.Unchanged(before)
	}
}

const expiring = `
apiVersion: batch/v1
kind: Job
metadata: {name: seed}
spec:
  backoffLimit: 0
  ttlSecondsAfterFinished: 0
  template:
    spec:
      restartPolicy: Never
      containers:
        - {name: main, image: {{.Image}}, imagePullPolicy: Never, args: [print, "{{.Exit}}", first, "{{.Line}}"]}
`

// A Job among the objects that the cluster deletes at its end counts as it ended.
func TestExpiringJob(t *testing.T) {
	t.Parallel()
	s := newStore(t, stepwise)
	s.Value("Exit", "0")
	s.Value("Line", "seeded")
	s.Write("manifests/seed.yaml", expiring)
	s.Run()
	s.Await("the Job is deleted", func() bool { return !s.There("Job", "seed") })

	s.Value("Exit", "4")
	s.Value("Line", "table orders is locked")
	s.Write("manifests/seed.yaml", expiring)
	before := s.Snapshot()
	r := s.RollsBack(s.Start("run", "-f", "deploy.yaml"))
	t.Logf("took %s\n%s", r.Took, r.Story())
	says(t, r.Failures["production/apply"].Message, "Job/seed failed", "pod seed-", "status 4", "table orders is locked")
	s.Unchanged(before)
}
