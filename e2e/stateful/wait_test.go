package stateful_test

import (
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/e2e/world"
)

const waitSteps = `
canary:
  steps:
    - setWeight: {weight: 100}
    - waitFor: {object: Deployment/theirs, condition: Available, timeout: 2m}
    - waitFor: {object: ConfigMap/theirs, jsonPath: "{.data.phase}", value: Final, timeout: 2m}
    - waitFor:
        object: ConfigMap/theirs
        jsonPath: "{.data.result}"
        value: Successful
        failWhen: [{jsonPath: "{.data.result}", value: Failed}]
        timeout: 10m
`

const theirs = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: theirs}
spec:
  selector: {matchLabels: {app: theirs}}
  template:
    metadata: {labels: {app: theirs}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: store, image: {{.Image}}, imagePullPolicy: Never, args: [serve]}]
`

func TestWaitFor(t *testing.T) {
	t.Parallel()
	s := newStore(t, waitSteps)
	s.Write("manifests/served.yaml", served)
	p := s.Start("run", "-f", "deploy.yaml")
	p.Await(world.Step(sluice.StepStarting, "production/canary/1"))
	s.Put(theirs)
	p.Await(world.Step(sluice.StepDone, "production/canary/1"))
	s.phase("Final", "")
	p.Await(world.Step(sluice.StepDone, "production/canary/2"))
	s.phase("Final", "Successful")
	s.Ends(sluice.StatusSucceeded, p)

	s.phase("Running", "")
	s.Value("Version", "v2")
	s.Write("manifests/served.yaml", served)
	before := s.Snapshot()
	p = s.Start("run", "-f", "deploy.yaml")
	p.Await(world.Step(sluice.StepProgressed, "production/canary/2"))
	s.phase("Final", "")
	p.Await(world.Step(sluice.StepDone, "production/canary/2"))
	s.phase("Final", "Failed")
	r := s.RollsBack(p)
	t.Logf("took %s\n%s", r.Took, r.Story())
	says(t, r.Failures["production/canary/3"].Message, "ConfigMap/theirs", "{.data.result} is Failed")
	if r.Took > time.Minute {
		t.Errorf("it took %s", r.Took)
	}
	s.Unchanged(before, "ConfigMap/theirs")
}

// phase sets the phase and result for which the step waits.
func (s store) phase(phase, result string) {
	s.Helper()
	s.Put("{apiVersion: v1, kind: ConfigMap, metadata: {name: theirs}, " +
		"data: {phase: " + phase + ", result: \"" + result + "\"}}")
}
