package data

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/e2e/world"
)

// TestTargetIsQuiet copies production's data into a target whose CronJob and application could send mails to
// production's customers.
func TestTargetIsQuiet(t *testing.T) {
	t.Parallel()
	l := newLab(t, storage{class: "csi"})
	s := l.staging
	l.Write("sandbox", "of the sandbox")
	l.Configure("secrets: {sandbox: {file: sandbox}}\n")
	step := strings.Replace(copyFile, "from: production}", `from: production, suspend: [CronJob/mails],
        secrets: [{secret: smtp, key: password, value: "[[secrets.sandbox]]"}]}`, 1)
	step = strings.Replace(step, "baseline: migration}", "baseline: migration}, pause: {untilApproved: true}", 1)
	l.Write("quiet.yaml", l.adapt(fmt.Sprintf(step, s.Namespace, l.Namespace)))

	s.Put(mails)
	s.Put(smtp)
	l.mailing(false, "of production")
	s.Put(fmt.Sprintf(mailing, s.Get("CronJob.batch", "mails").Text("metadata", "uid")))

	p := l.start("quiet")
	p.Await(approval)
	if s.There("Job", "mailing") && s.Get("Job", "mailing").Number(0, "status", "active") > 0 {
		t.Error("a Job of the CronJob runs beside production's data")
	}
	l.mailing(true, "of the sandbox")
	l.mustSluice("cancel")
	l.Ends(sluice.StatusCancelled, p)
	l.mailing(false, "of production")

	p = l.start("quiet")
	p.Await(approval)
	l.mustSluice("approve")
	l.Ends(sluice.StatusSucceeded, p)
	l.mailing(true, "of the sandbox")
	if !l.orders(l.World).Equal(l.orders(s)) {
		t.Error("staging has not the orders of production")
	}
}

// approval: the deployment waits for a person.
func approval(e world.Event) bool {
	return e.Step == "staging/after/1" && e.Kind == sluice.StepProgressed && e.Progress != nil &&
		e.Progress.State == sluice.Waiting
}

// mailing fails unless the CronJob of staging is suspended or not, and the Secret has the password.
func (l *lab) mailing(suspended bool, password string) {
	l.Helper()
	if got, _ := l.staging.Get("CronJob.batch", "mails").Field("spec", "suspend").(bool); got != suspended {
		l.Errorf("suspended is %t, want %t", got, suspended)
	}
	got, err := base64.StdEncoding.DecodeString(l.staging.Get("Secret", "smtp").Text("data", "password"))
	if err != nil || string(got) != password {
		l.Errorf("the password is %q, want %q: %v", got, password, err)
	}
}

const mails = `{apiVersion: batch/v1, kind: CronJob, metadata: {name: mails}, spec: {schedule: "0 0 29 2 *",
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never,
    containers: [{name: mails, image: "{{.Image}}", imagePullPolicy: Never, args: [serve]}]}}}}}}`

const smtp = `{apiVersion: v1, kind: Secret, metadata: {name: smtp}, stringData: {password: of production}}`

// mailing is a Job that the CronJob has started. It runs for a while.
const mailing = `{apiVersion: batch/v1, kind: Job, metadata: {name: mailing, ownerReferences: [
    {apiVersion: batch/v1, kind: CronJob, name: mails, uid: %s, controller: true}]},
  spec: {activeDeadlineSeconds: 15, template: {spec: {restartPolicy: Never, terminationGracePeriodSeconds: 0,
    containers: [{name: mails, image: "{{.Image}}", imagePullPolicy: Never, args: [serve]}]}}}}`
