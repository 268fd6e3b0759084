package api_test

import (
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/service"
)

// A deploy file may name any secret and metric provider of the server, and send a secret anywhere.
func TestOnlyGrantedSecretsAndMetricsAreUsed(t *testing.T) {
	people["guest"] = access.Caller{
		Actor: sluice.Actor{Name: "guest", Identity: "test#guest"},
		Grants: []access.Grant{{Verbs: []access.Verb{access.View, access.Deploy}, Applications: []string{"shop"},
			Targets: []string{"staging"}, Secrets: []string{"shop-*"}, Metrics: []string{}}},
	}
	t.Cleanup(func() { delete(people, "guest") })
	using := func(step, more string) service.Bundle {
		b := bundle("shop")
		text := strings.Replace(string(b.Files["deploy.yaml"]), "      beforeDeployment:\n",
			"      afterDeployment:\n        - "+step+"\n      beforeDeployment:\n", 1)
		b.Files["deploy.yaml"] = []byte(text + more)
		return b
	}
	hook := func(uri, value string) service.Bundle {
		return using("runWebhook: {name: h}", "webhooks:\n  - name: h\n    method: POST\n    disableCallback: true\n"+
			"    uriTemplate: "+uri+"\n    headers: [{key: X-Token, value: "+value+"}]\n")
	}
	judged := "analysis: {queries: [q], interval: 1, units: seconds, numberOfJudgmentRuns: 1}"
	query := "analysis:\n  queries:\n    - name: q\n      metricProviderName: main\n      upperLimit: 1\n" +
		"      queryTemplate: up\n"
	eachStore(t, func(t *testing.T, w *world) {
		guest := w.as(t, "guest")
		for name, b := range map[string]service.Bundle{
			"secret billing":       hook("https://example.com", `"{{secrets.billing}}"`),
			"secret spaced":        hook("https://example.com", `"{{\tsecrets.spaced\t}}"`),
			"metric provider main": using(judged, query),
		} {
			_, err := guest.Deploy(t.Context(), b)
			wants(t, name, err, sluice.Denied)
			if err != nil && !strings.Contains(err.Error(), name) {
				t.Errorf("%s: %v", name, err)
			}
			_, err = guest.Plan(t.Context(), b, true)
			wants(t, "plan "+name, err, sluice.Denied)
		}
		refused, err := w.store.Entries(t.Context(), "shop", 0, 100)
		if err != nil || len(refused) != 6 {
			t.Errorf("the audit has %+v, %v", refused, err)
		}
		for _, e := range refused {
			if e.Allowed || e.Verb != "deploy" || !strings.Contains(e.Reason, "may not deploy") {
				t.Errorf("%+v", e)
			}
		}
		_, err = guest.Plan(t.Context(), hook("https://example.com", `"{{secrets.shop-token}}"`), true)
		wants(t, "the granted secret", err, "")
	})
}
