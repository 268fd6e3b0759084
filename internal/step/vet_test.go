package step_test

import (
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
)

// Everything that a step will certainly miss is found before anything starts, at the place of the step.
func TestWhatCertainlyFailsIsFoundBeforehand(t *testing.T) {
	hook := func(uri string) sluice.StepSpec {
		return calling(sluice.Webhook{Name: "tell", URITemplate: uri, DisableCallback: true})
	}
	asking := func(query string) sluice.StepSpec {
		return analysing(func(a *sluice.Analysis) { a.Resolved[0].Template = query })
	}
	by := func(provider string) sluice.StepSpec {
		return analysing(func(a *sluice.Analysis) { a.Resolved[0].Provider = provider })
	}
	show := sluice.StepSpec{
		Kind: sluice.KindExposeServices, ExposeServices: &sluice.ExposeServices{Services: []string{"web"}},
	}
	service := object("v1", "Service", "web", nil)
	for name, tt := range map[string]struct {
		before  []sluice.Object // what an earlier step applies
		step    sluice.StepSpec
		gives   answers
		account string
		want    string // "": nothing
	}{
		"a secret of a webhook":        {step: hook("https://x.org/{{secrets.none}}"), want: `there is no secret "none"`},
		"a webhook with what it needs": {step: hook("https://x.org/{{secrets.token}}")},
		"a secret of a query":          {step: asking("up{{secrets.none}}"), want: `there is no secret "none"`},
		"a query that is malformed":    {step: asking("("), gives: answers{0: refused}, want: "query errors: parse error"},
		"a provider that is away":      {step: asking("up"), gives: answers{0: away}},
		"a Service that nobody brings": {step: show, want: "Service/web"},
		"a Service of an earlier step": {step: show, before: []sluice.Object{service}},
		"an account that is unknown":   {step: show, account: "cluster", want: `there is no account "cluster"`},
		"a provider that is unknown":   {step: by("x"), want: `there is no metric provider "x"`},
		"a webhook that is unknown":    {step: hook(""), want: `there is no webhook "tell"`},
		"a variable that is unknown":   {step: hook("https://x.org/{{context.none}}"), want: "context.none"},
		"one of a query":               {step: asking("up{{context.none}}"), want: "context.none"},
	} {
		t.Run(name, func(t *testing.T) {
			at := sluice.Position{File: "deploy.yaml", Line: 3, Column: 5}
			tt.step.Pos = at
			b := newBench()
			b.deps.Callbacks, b.deps.Metrics = callbacks, map[string]sluice.Metrics{"prometheus": tt.gives}
			if tt.account != "" {
				delete(b.deps.Accounts, tt.account)
			}
			if tt.before != nil {
				b.add("apply", applying(true, tt.before...))
			}
			got := b.add("canary/0", tt.step).vet(t, "canary/0")
			if tt.want == "" && len(got) == 0 {
				return
			}
			if len(got) != 1 || tt.want == "" || got[0].Pos != at || !strings.Contains(got[0].Message, tt.want) {
				t.Errorf("found %v, want %q", got, tt.want)
			}
		})
	}
}
