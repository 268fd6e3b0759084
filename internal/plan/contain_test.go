package plan_test

import (
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/deployfile"
	"github.com/sluice-cd/sluice/internal/plan"
)

const shared = `
version: v1
kind: kubernetes
application: shop
datasets: {orders: {engine: files, claims: [data]}}
targets:
  staging:
    account: one
    namespace: staging
    strategy: s
    constraints:
      beforeDeployment:
        - sequence:
            - migrateData:
                dataset: orders
                from: production
                suspend: [CronJob/mails]
                secrets: [{secret: smtp, key: password, value: "{{secrets.test}}"}]
  production: {account: one, namespace: production, strategy: s}
manifests:
  - inline: |
      {apiVersion: batch/v1, kind: CronJob, metadata: {name: mails}, spec: {suspend: false, schedule: "* * * * *",
        jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: a}]}}}}}}
  - {targets: [TARGET], inline: "{apiVersion: v1, kind: Secret, metadata: {name: smtp}, stringData: {password: x}}"}
strategies:
  s: {canary: {steps: [{setWeight: {weight: 100}}]}}
`

// The same manifest is applied suspended where the data of another target is, and as it is elsewhere.
func TestAReleaseKeepsWhatAMigrationSuspends(t *testing.T) {
	spec, found := deployfile.Parse("deploy.yaml", []byte(strings.Replace(shared, "TARGET", "production", 1)))
	if found.HasErrors() {
		t.Fatal(found)
	}
	p, found := plan.Compile(spec, plan.Options{Root: "."})
	if found.HasErrors() {
		t.Fatal(found)
	}
	for _, s := range p.Steps {
		if s.Apply == nil {
			continue
		}
		for _, o := range s.Apply.Objects {
			if got := o.Field("spec", "suspend"); o.Text("kind") == "CronJob" && got != (s.Target == "staging") {
				t.Errorf("suspend of %s in %s is %v", o.Ref(), s.Target, got)
			}
		}
	}
}

func TestAReleaseMustNotPutSecretsBack(t *testing.T) {
	spec, found := deployfile.Parse("deploy.yaml", []byte(strings.Replace(shared, "TARGET", "staging", 1)))
	if found.HasErrors() {
		t.Fatal(found)
	}
	_, found = plan.Compile(spec, plan.Options{Root: "."})
	if len(found) != 1 || found[0].Severity != sluice.SeverityError || found[0].Pos.Line != 14 ||
		found[0].Message != "migrateData replaces a value of Secret/smtp, and the manifests of staging put it back" {
		t.Errorf("%v", found)
	}
}
