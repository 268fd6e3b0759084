package data_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
)

func object(apiVersion, kind, namespace, name string) sluice.Ref {
	return sluice.Ref{APIVersion: apiVersion, Kind: kind, Namespace: namespace, Name: name}
}

// watched returns a world whose staging has a CronJob that sends mails, and in which users see the data of production
// only after the CronJob is suspended and the Secret holds another value.
func watched(t *testing.T) *world {
	w := newWorld(t)
	w.deploy("prod", "db:1", abc())
	w.deploy("staging", "db:2", documents{"old": "data"})
	w.put("batch/v1", "CronJob", "staging", "mails", sluice.Object{"spec": map[string]any{"schedule": "* * * * *"}})
	w.put("v1", "Secret", "staging", "smtp", sluice.Object{"data": map[string]any{"password": "cmVhbA==", "user": "bWU="}})
	w.traffic = func(namespace, _ string) {
		if namespace != "staging" || w.live("staging")["old"] != "" {
			return
		}
		if w.objects[object("batch/v1", "CronJob", "staging", "mails")].Field("spec", "suspend") != true {
			t.Error("the CronJob is not suspended")
		}
		secret := w.objects[object("v1", "Secret", "staging", "smtp")]
		if secret.Text("data", "password") != base64.StdEncoding.EncodeToString([]byte("test sesame")) {
			t.Error("the Secret has its old value")
		}
		if secret.Text("data", "user") != "bWU=" {
			t.Error("another key of the Secret was changed")
		}
	}
	return w
}

// cautious is a migration with precautions.
func cautious() sluice.StepSpec {
	spec := migrating()
	spec.MigrateData.Suspend = []string{"CronJob/mails"}
	spec.MigrateData.Secrets = []sluice.SecretValue{{Secret: "smtp", Key: "password", Value: "test {{secrets.password}}"}}
	return spec
}

func TestATargetIsContainedAsLongAsItHasTheData(t *testing.T) {
	w := watched(t)
	before := w.state()
	s := w.step("d1", "staging", cautious(), nil)
	preview, err := s.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, w.state()); diff != "" {
		t.Errorf("the plan changed:\n%s", diff)
	}
	for _, want := range []string{
		"suspends CronJob/mails of staging as long as it has the data",
		"replaces password of Secret/smtp of staging as long as it has the data; pods that run keep the value that they " +
			"started with",
	} {
		if !slices.Contains(preview.Notes, want) {
			t.Errorf("the plan does not say %q, but %q", want, preview.Notes)
		}
	}
	for _, ref := range []string{"CronJob/mails", "Secret/smtp"} {
		if !slices.Contains(preview.Changes, sluice.Change{Object: ref, Outcome: sluice.Configured}) {
			t.Errorf("the plan does not list %s: %v", ref, preview.Changes)
		}
	}
	for _, value := range []string{"cmVhbA", "real", "sesame"} {
		if strings.Contains(string(preview.Snapshot), value) {
			t.Errorf("the log has the value %s of a Secret", value)
		}
	}
	p := sluice.Progress{Snapshot: preview.Snapshot}
	if err := drive(t.Context(), s, &p); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(p.Message, "suspended are CronJob/mails") {
		t.Errorf("the step says %s", p.Message)
	}
	if err := s.Undo(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, w.state()); diff != "" {
		t.Errorf("undo left:\n%s", diff)
	}
}

// A Secret that only the source has is created with the other value, never with that of the source.
func TestASecretOfTheSourceArrivesReplaced(t *testing.T) {
	w := newWorld(t)
	w.cluster = true
	w.deploy("prod", "db:1", abc())
	w.objects[object("v1", "Namespace", "", "staging")] = sluice.Object{"kind": "Namespace"}
	before := w.state()
	spec := migrating()
	spec.MigrateData.Secrets = []sluice.SecretValue{{Secret: "login", Key: "password", Value: "{{secrets.password}}!"}}
	s := w.step("d1", "staging", spec, nil)
	p := must(t, s)
	got := w.objects[object("v1", "Secret", "staging", "login")].Text("data", "password")
	if want := base64.StdEncoding.EncodeToString([]byte("sesame!")); got != want {
		t.Errorf("the Secret holds %s, want %s", got, want)
	}
	if err := s.Undo(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, w.state()); diff != "" {
		t.Errorf("undo left:\n%s", diff)
	}
}

func TestPrecautionsAboutNothingAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*sluice.MigrateData)
		says   string
		hint   string
	}{
		"a CronJob": {func(m *sluice.MigrateData) { m.Suspend = []string{"CronJob/mail"} },
			"migrateData of orders names CronJob/mail, but staging has none in the namespace staging", "did you mean mails?"},
		"a Secret": {func(m *sluice.MigrateData) { m.Secrets[0].Secret = "smpt" },
			"migrateData of orders names Secret/smpt", "did you mean smtp?"},
		"a key": {func(m *sluice.MigrateData) { m.Secrets[0].Key = "pass" },
			"Secret/smtp of staging has no key pass", "its keys are: password, user"},
	} {
		t.Run(name, func(t *testing.T) {
			w := watched(t)
			spec := cautious()
			spec.Pos = sluice.Position{File: "deploy.yaml", Line: 7, Column: 3}
			c.change(spec.MigrateData)
			_, err := w.step("d1", "staging", spec, nil).Check(t.Context())
			if sluice.ErrorCode(err) != sluice.NotFound || !strings.Contains(err.Error(), c.says) ||
				!strings.Contains(err.Error(), "deploy.yaml:7:3") || !strings.Contains(sluice.ErrorHint(err), c.hint) {
				t.Errorf("%v; hint: %s", err, sluice.ErrorHint(err))
			}
		})
	}
}

// A CronJob that only the release brings is brought suspended.
func TestACronJobOfTheReleaseNeedNotExist(t *testing.T) {
	w := watched(t)
	delete(w.objects, object("batch/v1", "CronJob", "staging", "mails"))
	w.traffic = nil
	job := sluice.Object{"apiVersion": "batch/v1", "kind": "CronJob", "metadata": map[string]any{"name": "mails"}}
	w.plan = []sluice.PlannedStep{{ID: "staging/apply", Target: "staging", StepSpec: sluice.StepSpec{
		Kind: sluice.KindApply, Apply: &sluice.Apply{Objects: []sluice.Object{job}}}}}
	must(t, w.step("d1", "staging", cautious(), nil))
}

// Jobs that a CronJob started earlier end before the data arrives.
func TestTheDataWaitsForJobsThatRun(t *testing.T) {
	w := watched(t)
	ref := object("batch/v1", "CronJob", "staging", "mails")
	w.objects[ref].Set([]any{map[string]any{"kind": "Job", "name": "mails-1"}}, "status", "active")
	w.busy = ref
	w.traffic = func(namespace, _ string) {
		if namespace == "staging" && w.live("staging")["old"] == "" && w.busy != (sluice.Ref{}) {
			t.Error("the data arrived while a Job ran")
		}
	}
	must(t, w.step("d1", "staging", cautious(), nil))
	if w.busy != (sluice.Ref{}) {
		t.Error("nobody waited")
	}
}
