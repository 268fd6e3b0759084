package step_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-cd/sluice"
)

func TestWaitForSeesChanges(t *testing.T) {
	migration := func(fields map[string]any) sluice.Object {
		return object("stork.libopenstorage.org/v1alpha1", "Migration", "m", map[string]any{"status": fields})
	}
	conditions := func(status string) map[string]any {
		return map[string]any{"conditions": []any{map[string]any{"type": "Other", "status": "True"},
			map[string]any{"type": "Ready", "status": status}}}
	}
	for name, test := range map[string]struct {
		reason string
		spec   sluice.WaitFor
		then   map[string]any
		code   sluice.Code
		says   string
	}{
		"value": {"the value comes", sluice.WaitFor{JSONPath: "{.status.stage}", Value: "Final"},
			map[string]any{"stage": "Final"}, "", "Final"},
		"no braces": {"written as a bare path", sluice.WaitFor{JSONPath: "status.stage", Value: "Final"},
			map[string]any{"stage": "Final"}, "", ""},
		"any value": {"presence is enough", sluice.WaitFor{JSONPath: ".status.stage"}, map[string]any{"stage": "x"}, "",
			""},
		"number": {"numbers are compared as text", sluice.WaitFor{JSONPath: ".status.n", Value: "3"},
			map[string]any{"n": 3}, "", ""},
		"condition": {"a condition is True unless said", sluice.WaitFor{Condition: "Ready"}, conditions("True"), "", ""},
		"negated":   {"or what is said", sluice.WaitFor{Condition: "Ready=False"}, conditions("False"), "", ""},
		"other value": {"the deadline names what was there", sluice.WaitFor{Condition: "Ready"}, conditions("False"),
			sluice.Failed, "condition Ready is False"},
		"fail": {"what cannot heal ends at once", sluice.WaitFor{JSONPath: ".status.stage", Value: "Final",
			FailWhen: []sluice.FailWhen{{JSONPath: ".status.status", Value: "Failed"}}},
			map[string]any{"status": "Failed"}, sluice.Failed, "can no longer have"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				test.spec.Object, test.spec.Timeout = "Migration.v1alpha1.stork.libopenstorage.org/m", time.Minute
				b := newBench(migration(map[string]any{}))
				b.add("before/0", sluice.StepSpec{Kind: sluice.KindWaitFor, WaitFor: &test.spec})
				began := time.Now()
				go func() {
					time.Sleep(10 * time.Second)
					b.account.Edit(migration(nil).Ref(), func(o sluice.Object) { o["status"] = test.then })
				}()
				p, err := b.run(t, "before/0")
				text := p.Message
				if err != nil {
					text = err.Error()
				}
				if sluice.ErrorCode(err) != test.code || !strings.Contains(text, test.says) {
					t.Errorf("%s: got %q (%s)", test.reason, text, sluice.ErrorCode(err))
				}
				want := 10 * time.Second
				if name == "other value" {
					want = time.Minute
				}
				if got := time.Since(began); got != want {
					t.Errorf("%s: it took %s, want %s", test.reason, got, want)
				}
			})
		})
	}
}

// What has failed by its own account is not waited for until the deadline.
func TestWaitForEndsWithFailure(t *testing.T) {
	b := newBench(job("check:fails").RunJob.Job)
	b.add("x/0", sluice.StepSpec{Kind: sluice.KindWaitFor,
		WaitFor: &sluice.WaitFor{Object: "Job/check", Condition: "Complete", Timeout: time.Hour}})
	_, err := b.run(t, "x/0")
	if sluice.ErrorCode(err) != sluice.Failed || !strings.Contains(err.Error(), "it ended with status 1") {
		t.Errorf("got %v", err)
	}
}

func TestObjectsAreNamedByKind(t *testing.T) {
	for text, want := range map[string]string{
		"StatefulSet/mongo":               "apps/v1",
		"Ingress/web":                     "networking.k8s.io/v1",
		"Node/one":                        "v1",
		"Endpoints.v1/web":                "v1",
		"Certificate.cert-manager.io/web": "cert-manager.io/v1",
		"Migration/m":                     "",
		"Migration.v1alpha1.stork.libopenstorage.org/m": "stork.libopenstorage.org/v1alpha1",
	} {
		ref, err := sluice.ParseRef(text, "prod")
		if err != nil || ref.APIVersion != want {
			t.Errorf("%s is of %q, want %q; %v", text, ref.APIVersion, want, err)
		}
	}
}
