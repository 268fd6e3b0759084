package step_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
)

// What a plan names and this machine does not have is found when the step is made.
func TestNewNamesWhatIsMissing(t *testing.T) {
	hook := func(w sluice.Webhook) sluice.StepSpec { w.Name = "tests"; return calling(w) }
	for name, test := range map[string]struct {
		spec   sluice.StepSpec
		change func(*bench)
		code   sluice.Code
		says   []string
	}{
		"account": {weight(10), func(b *bench) {
			b.deps.Accounts = map[string]sluice.Account{"other": b.account.Abilities()}
		}, sluice.Invalid, []string{`"cluster"`, "other", "sluice.yaml"}},
		"no account": {weight(10), func(b *bench) { delete(b.deps.Accounts, "cluster") }, sluice.Invalid,
			[]string{"none"}},
		"agent": {hook(sluice.Webhook{URITemplate: "http://x", NetworkMode: "remoteNetworkAgent",
			AgentIdentifier: "rna"}), nil, sluice.Invalid, []string{`"rna"`, "cluster"}},
		"provider": {analysing(nil), nil, sluice.Invalid, []string{`"prometheus"`, "none", "sluice.yaml"}},
		"webhook": {sluice.StepSpec{Kind: sluice.KindRunWebhook, RunWebhook: &sluice.RunWebhook{Name: "gone"}}, nil,
			sluice.Invalid, []string{`"gone"`, "webhooks"}},
		"callback": {hook(sluice.Webhook{URITemplate: "http://x"}), nil, sluice.Unsupported,
			[]string{"disableCallback"}},
		"variable": {hook(sluice.Webhook{URITemplate: "http://{{context.colour}}", DisableCallback: true}), nil,
			sluice.Invalid, []string{"context.colour", "context.color, context.suite", "secrets.<name>"}},
		"section": {hook(sluice.Webhook{URITemplate: "http://{{#context.color}}x", DisableCallback: true}), nil,
			sluice.Invalid, []string{"not sections"}},
		"query's variable": {hook(sluice.Webhook{URITemplate: "http://{{armory.intervalSeconds}}", DisableCallback: true}),
			nil, sluice.Invalid, []string{"intervalSeconds"}},
		"mask": {sluice.StepSpec{Kind: sluice.KindMaskData, MaskData: &sluice.MaskData{Dataset: "orders"}}, nil,
			sluice.Unsupported, []string{"maskData"}},
		"kind": {sluice.StepSpec{Kind: "teleport"}, nil, sluice.Unsupported, []string{"teleport", "setWeight"}},
		"no job": {sluice.StepSpec{Kind: sluice.KindRunJob, RunJob: &sluice.RunJob{Name: "x"}}, nil,
			sluice.Invalid, []string{`"x"`}},
		"custom kind": {sluice.StepSpec{Kind: sluice.KindWaitFor,
			WaitFor: &sluice.WaitFor{Object: "Widget/x", Condition: "Ready"}}, nil, sluice.Invalid,
			[]string{"Widget", "API group"}},
		"bad path": {sluice.StepSpec{Kind: sluice.KindWaitFor,
			WaitFor: &sluice.WaitFor{Object: "Job/x", JSONPath: "{.status[}"}}, nil, sluice.Invalid, []string{"jsonpath"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench().add("x/0", test.spec)
			if test.change != nil {
				test.change(b)
			}
			_, err := b.new("x/0")
			if sluice.ErrorCode(err) != test.code {
				t.Fatalf("got %v", err)
			}
			for _, s := range test.says {
				if text := err.Error() + "\n" + sluice.ErrorHint(err); !strings.Contains(text, s) {
					t.Errorf("%q does not say %q", text, s)
				}
			}
		})
	}
}

func TestMissingSecretIsFoundByCheck(t *testing.T) {
	b := newBench().add("x/0", calling(sluice.Webhook{Name: "tests", URITemplate: "http://127.0.0.1:1/{{secrets.Token}}",
		DisableCallback: true}))
	_, err := b.must(t, "x/0").Check(t.Context())
	if sluice.ErrorCode(err) != sluice.NotFound || !strings.Contains(err.Error(), "Token") {
		t.Errorf("got %v", err)
	}
}

func TestVariables(t *testing.T) {
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("X-Value")
	}))
	defer server.Close()
	for template, want := range map[string]string{
		"{{armory.applicationName}}":                    "shop",
		"{{ armory.deploymentId }}":                     "d1",
		"{{\tarmory.environmentName\t}}":                "production",
		"{{armory.accountName}}/{{armory.namespace}}":   "cluster/prod",
		"{{armory.preview.web-internal}}":               "http://127.0.0.9:8080",
		"{{armory.replicaSetName}}":                     "web-8b53639f15",
		"{{context.color}} {{context.suite}}":           "blue smoke",
		"{{secrets.token}}":                             "s3cret",
		`up{app="{{context.color}}"} {"a":{"b":1}} <&>`: `up{app="blue"} {"a":{"b":1}} <&>`,
	} {
		b := installed(t)
		if _, _, err := b.account.Apply(t.Context(), object("v1", "Service", "web-internal",
			map[string]any{"spec": map[string]any{"ports": []any{map[string]any{"port": 8080}}}}), false); err != nil {
			t.Fatal(err)
		}
		b.account.SetAddress(namespace, "web-internal", 8080, "127.0.0.9:8080")
		b.mustRun(t, "apply")
		b.add("x/0", calling(sluice.Webhook{Name: "tests", URITemplate: server.URL, DisableCallback: true,
			Headers: []sluice.Header{{Key: "X-Value", Value: template}}}))
		b.mustRun(t, "x/0")
		if got != want {
			t.Errorf("%s became %q, want %q", template, got, want)
		}
	}
}

func TestPauseEnds(t *testing.T) {
	approval := sluice.Pause{UntilApproved: true, ApprovalExpiration: time.Hour}
	for name, test := range map[string]struct {
		reason string
		spec   sluice.Pause
		after  time.Duration
		signal string
		state  sluice.StepState
		code   sluice.Code
		says   string
	}{
		"early":   {"it waits its time", sluice.Pause{Duration: time.Hour}, 59 * time.Minute, "", sluice.Waiting, "", ""},
		"in time": {"and no longer", sluice.Pause{Duration: time.Hour}, time.Hour, "", sluice.Done, "", ""},
		"ended early": {"a person ends it", sluice.Pause{Duration: time.Hour}, time.Minute, sluice.SignalRollForward,
			sluice.Done, "", "ended early by ada: looks fine"},
		"approved": {"an approval ends it", approval, time.Minute, sluice.SignalApprove, sluice.Done, "",
			"approved by ada: looks fine"},
		"rejected": {"a rejection fails it", approval, time.Minute, sluice.SignalReject, "", sluice.Failed,
			"rejected by ada: looks fine"},
		"expired": {"silence fails it", approval, time.Hour, "", "", sluice.Failed, "nobody approved within 1h"},
		"forever": {"without expiration it waits for ever", sluice.Pause{UntilApproved: true}, 1000 * time.Hour, "",
			sluice.Waiting, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench().add("before/0", sluice.StepSpec{Kind: sluice.KindPause, Pause: &test.spec})
			p := b.mustRun(t, "before/0")
			b.now = noon.Add(test.after)
			if test.signal != "" {
				p.Signals = []sluice.Signal{{Kind: test.signal, By: sluice.Actor{Name: "ada"}, Reason: "looks fine"}}
			}
			p, err := b.must(t, "before/0").Observe(t.Context(), p)
			text := p.Message
			if err != nil {
				text = err.Error()
			}
			if sluice.ErrorCode(err) != test.code || err == nil && p.State != test.state || !strings.Contains(text, test.says) {
				t.Errorf("%s: got %s, %q", test.reason, p.State, text)
			}
		})
	}
}
