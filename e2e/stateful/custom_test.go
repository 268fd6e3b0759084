package stateful_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/e2e/world"
)

// The definition belongs to the whole cluster, so its own group keeps it apart from those of other runs.
const definition = `
apiVersion: example.com/v1
kind: Backup
metadata: {name: nightly}
spec: {hour: {{.Hour}}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: backups.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Backup, plural: backups, singular: backup}
  versions:
    - name: v1
      served: true
      storage: true
      subresources: {status: {}}
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec: {type: object, properties: {hour: {type: integer, maximum: 23}}}
            status: {type: object, x-kubernetes-preserve-unknown-fields: true}
`

func TestDefinitionAndResourceInOneFile(t *testing.T) {
	t.Parallel()
	s := newStore(t, "canary: {steps: [{setWeight: {weight: 100}}]}")
	group := s.Namespace + ".example.com"
	kind := "Backup." + group
	text := strings.ReplaceAll(definition, "example.com", group)
	release := func(hour string) {
		s.Value("Hour", hour)
		s.Write("manifests/backup.yaml", text)
	}
	before := s.Snapshot()

	release("99") // not allowed by the schema: nothing of the first deployment stays
	r := s.RollsBack(s.Start("run", "-f", "deploy.yaml"))
	says(t, r.Failures["production/apply"].Message, "Backup/nightly", "spec.hour")
	s.Unchanged(before)
	if s.There("CustomResourceDefinition.apiextensions.k8s.io", "backups."+group) {
		t.Error("the definition outlived the rollback")
	}

	release("1")
	s.Run()
	defer s.Delete("CustomResourceDefinition.apiextensions.k8s.io", "backups."+group)
	s.status(kind, 1, "Ready", "True", "")

	release("2")
	p := s.Start("run", "-f", "deploy.yaml")
	s.hour(kind, 2)
	s.unfinished(p)
	s.status(kind, 2, "Ready", "False", "the volume is being attached")
	s.unfinished(p)
	s.status(kind, 2, "Ready", "True", "")
	s.Ends(sluice.StatusSucceeded, p)

	release("3")
	p = s.Start("run", "-f", "deploy.yaml")
	s.hour(kind, 3)
	s.status(kind, 3, "Stalled", "True", "no such bucket")
	p.Await(world.Step(sluice.StepFailed, "production/apply"))
	s.hour(kind, 2)
	s.status(kind, 4, "Ready", "True", "")
	r = s.RollsBack(p)
	says(t, r.Failures["production/apply"].Message, "Backup/nightly", "no such bucket")
}

// hour waits until the resource has the hour.
func (s store) hour(kind string, want int) {
	s.Helper()
	s.Until(kind, "nightly", "as applied", func(o sluice.Object) bool { return o.Number(0, "spec", "hour") == want })
}

// unfinished fails if the deployment does not wait.
func (s store) unfinished(p *world.Process) {
	s.Helper()
	time.Sleep(time.Second) // there is no event for what must not happen
	events, _ := p.Events()
	if slices.ContainsFunc(events, world.Step(sluice.StepDone, "production/apply")) {
		s.Error("the resource is not waited for")
	}
}

// status acts as the controller.
func (s store) status(kind string, generation int, condition, value, message string) {
	s.Helper()
	status := fmt.Sprintf(`{"status": {"observedGeneration": %d, "conditions": [{"type": %q, "status": %q, `+
		`"reason": "Because", "message": %q}]}}`, generation, condition, value, message)
	s.Patch(kind, "nightly", status, "status")
}
