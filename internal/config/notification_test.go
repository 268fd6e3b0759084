package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
)

const receivers = `
server:
  notifications:
    releases:
      slack: {url: {env: SLACK_URL}}
    audit:
      events: ["deployment.*", step.decided]
      applications: [shop, "shop-*"]
      webhook: {url: https://hooks.example.com/sluice, secret: {file: hook}, format: cdevents}
    hidden:
      events: ["*"]
      webhook: {url: {env: HOOK_URL}, secret: {env: HOOK_SECRET}}
    oncall:
      events: [step.waiting]
      email:
        server: smtp.example.com:587
        from: Sluice <sluice@example.com>
        to: [oncall@example.com]
        username: sluice
        password: {env: SMTP_PASSWORD}
        caFile: ca.pem
    direct:
      email: {server: "smtp.example.com:465", from: a@example.com, to: [b@example.com]}
    here:
      email: {server: "localhost:25", tls: none, from: a@example.com, to: [b@example.com]}
`

func TestParseReadsReceivers(t *testing.T) {
	c, ds := config.Parse("/etc/app/sluice.yaml", []byte(receivers))
	if len(ds) > 0 {
		t.Fatal(ds)
	}
	want := []config.Receiver{
		{Name: "audit", Applications: []string{"shop", "shop-*"}, Events: []sluice.NotificationKind{
			sluice.NotifyQueued, sluice.NotifyStarted, sluice.NotifyPaused, sluice.NotifyContinued, sluice.NotifyReopened,
			sluice.NotifySucceeded, sluice.NotifyFailed, sluice.NotifyRolledBack, sluice.NotifyCancelled,
			sluice.NotifyOvertaken, sluice.NotifyDecided,
		}, Webhook: &config.HookReceiver{
			URL: "https://hooks.example.com/sluice", Secret: config.Source{File: "/etc/app/hook"}, Format: "cdevents",
		}},
		{Name: "direct", Events: sluice.DefaultNotifications, Email: &config.EmailReceiver{
			Server: "smtp.example.com:465", TLS: "tls", From: "a@example.com", To: []string{"b@example.com"},
		}},
		{Name: "here", Events: sluice.DefaultNotifications, Email: &config.EmailReceiver{
			Server: "localhost:25", TLS: "none", From: "a@example.com", To: []string{"b@example.com"},
		}},
		{Name: "hidden", Events: sluice.NotificationKinds, Webhook: &config.HookReceiver{
			Address: config.Source{Env: "HOOK_URL"}, Secret: config.Source{Env: "HOOK_SECRET"}, Format: "sluice",
		}},
		{Name: "oncall", Events: []sluice.NotificationKind{sluice.NotifyWaiting}, Email: &config.EmailReceiver{
			Server: "smtp.example.com:587", TLS: "starttls", From: "Sluice <sluice@example.com>",
			To: []string{"oncall@example.com"}, Username: "sluice", Password: config.Source{Env: "SMTP_PASSWORD"},
			CAFile: "/etc/app/ca.pem",
		}},
		{Name: "releases", Events: sluice.DefaultNotifications,
			Slack: &config.SlackReceiver{Address: config.Source{Env: "SLACK_URL"}}},
	}
	if diff := cmp.Diff(want, c.Server.Receivers, cmpopts.IgnoreTypes(sluice.Position{})); diff != "" {
		t.Error(diff)
	}
	sources := 0
	for _, r := range c.Server.Receivers {
		sources += len(r.Sources())
	}
	if sources != 5 {
		t.Errorf("%d sources", sources)
	}
}

func TestReceiverFaults(t *testing.T) {
	const slack = "slack: {url: {env: A}}"
	email := func(more string) string { return "email: {from: a@b.c, to: [a@b.c], " + more + "}" }
	for name, test := range map[string]struct{ in, want, hint string }{
		"of no kind":        {"events: [step.failed]", "exactly one of webhook, slack and email", "slack"},
		"of two kinds":      {slack + ", " + email("server: 'a:25'"), "exactly one of webhook, slack and email", "slack"},
		"an unknown key":    {slack + ", event: [a]", `unknown key "event"`, "events"},
		"a misspelt kind":   {"slak: {url: {env: A}}", `unknown key "slak"`, "slack"},
		"a key named kind":  {"kind: slack", `unknown key "kind"`, "known keys"},
		"an unknown event":  {slack + ", events: [step.waitng]", `no event "step.waitng"`, "step.waiting"},
		"a foreign event":   {slack + ", events: ['zzzzzzzzz']", `no event "zzzzzzzzz"`, "known events"},
		"no events":         {slack + ", events: []", "list of events is empty", "remove"},
		"no applications":   {slack + ", applications: []", "list of applications is empty", "remove"},
		"a bad application": {slack + ", applications: ['[a']", "is not a pattern", "["},
		"a bare address":    {"slack: {url: 'https://hooks.slack.com/services/hush'}", "expected a mapping", "key"},
		"no address":        {"slack: {}", "has no url", "env"},
		"no url":            {"webhook: {secret: {env: A}}", "this webhook has no url", "https"},
		"no secret":         {"webhook: {url: 'https://a'}", "this webhook has no secret", "openssl"},
		"a url without TLS": {"webhook: {url: 'http://a', secret: {env: A}}", "could read the events", "https://a"},
		"another format":    {"webhook: {url: 'https://a', secret: {env: A}, format: xml}", "not supported", "cdevents"},
		"no mail server":    {email(""), "this e-mail has no server", "add server"},
		"no port":           {email("server: smtp"), "form host:port", "write it like"},
		"half a login":      {email("server: 'a:25', username: a"), "username and password", "neither"},
		"no encryption":     {email("server: 'a:25', tls: none"), "without encryption", "starttls"},
		"no recipient":      {"email: {server: 'a:25', from: a@b.c, to: []}", "goes to nobody", "to: ["},
		"a bad recipient":   {"email: {server: 'a:25', from: a@b.c, to: [team]}", `"team" is not an e-mail address`, "@"},
		"two in one":        {"email: {server: 'a:25', from: a@b.c, to: ['a@b.c, d@e.f']}", "is not an e-mail address", "@"},
		"a line break":      {`email: {server: 'a:25', from: "a@b.c\nBcc: d@e.f", to: [a@b.c]}`, "is not an e-mail", "@"},
	} {
		t.Run(name, func(t *testing.T) {
			c, ds := config.Parse("s.yaml", []byte("server: {notifications: {r: {"+test.in+"}}}"))
			if c != nil || len(ds) != 1 || !strings.Contains(ds[0].Message, test.want) {
				t.Fatalf("%v\nwant one finding with %q", ds, test.want)
			}
			if !strings.Contains(ds[0].Hint, test.hint) || !ds[0].Pos.IsValid() {
				t.Errorf("another hint or no place: %+v", ds[0])
			}
		})
	}
}
