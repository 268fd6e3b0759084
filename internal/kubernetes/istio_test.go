package kubernetes_test

import (
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
)

const (
	istio        = "/apis/networking.istio.io/v1"
	meshRoute    = istio + "/namespaces/shop/virtualservices/web"
	meshRules    = istio + "/namespaces/shop/destinationrules"
	virtualRoute = `{"apiVersion":"networking.istio.io/v1","kind":"VirtualService","metadata":{"name":"web",
		"namespace":"shop",
		"resourceVersion":"1"},"spec":{"http":[{"route":[{"destination":{"host":"web"}}]}]}}`
)

func rule(name, host string) string {
	return `{"apiVersion":"networking.istio.io/v1","kind":"DestinationRule","metadata":{"name":"` + name +
		`","namespace":"shop",
		"resourceVersion":"1"},"spec":{"host":"` + host + `"}}`
}

func inMesh(percent int) sluice.Division {
	d := to(percent)
	d.Traffic = []sluice.Traffic{{Istio: []sluice.Istio{{VirtualService: "web"}}}}
	return d
}

// The subsets are narrowed to the pods of the tracks before the route is weighed to them, and not if a side is not
// ready.
func TestShiftOfSubsets(t *testing.T) {
	for _, ready := range []string{"True", "False"} {
		s := serve(t)
		ctx := s.soon()
		canary, stable := aPod("c", canaryLabel, ready), aPod("s", `,"tier":"front","pod-template-hash":"abc"`, "True")
		s.on("GET "+meshRules, list("1", rule("other", "other"), rule("web", "web.shop.svc.cluster.local")))
		s.on("GET "+meshRules+"/web", answer{body: rule("web", "web")})
		s.on("GET "+deployments+"web", answer{body: stableWeb})
		s.on("GET "+replicaSets, list("1", `{"metadata":{"labels":{"pod-template-hash":"abc"},
			"annotations":{"deployment.kubernetes.io/revision":"3"},"ownerReferences":[{"uid":"d","controller":true}]}}`))
		s.on("GET "+servicePath+"web", answer{body: plainWeb}, answer{body: plainWeb})
		s.has(podsPath, stable, canary)
		s.on("GET "+meshRoute, answer{body: virtualRoute})
		if ready == "True" {
			s.on("GET "+meshRoute, answer{body: virtualRoute})
			s.on("PATCH "+meshRules+"/web", answer{body: rule("web", "web")})
			s.on("PATCH "+meshRoute, answer{body: virtualRoute})
		}
		err := s.Shift(ctx, inMesh(20))
		if ready == "False" {
			wantError(t, err, sluice.Failed, "can go to the canary pods")
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		sent := s.sent("PATCH ")
		if !strings.Contains(sent[0].body, `{"labels":{"pod-template-hash":"abc"},"name":"stable"}`) ||
			!strings.Contains(sent[0].body, `{"labels":{"sluice-cd.github.io/track":"canary"},"name":"canary"}`) {
			t.Errorf("the rule becomes %s", sent[0].body)
		}
		if !strings.Contains(sent[1].body, `{"destination":{"host":"web","subset":"canary"},"weight":20}`) {
			t.Errorf("the route becomes %s", sent[1].body)
		}
	}
}

func TestShiftRefusesAMeshThatIsNotClear(t *testing.T) {
	for name, test := range map[string]struct {
		route, rules string
		code         sluice.Code
		text         string
	}{
		"no rule": {virtualRoute, rule("other", "other"), sluice.NotFound,
			"no DestinationRule in the namespace shop is for Service/web"},
		"two rules": {virtualRoute, rule("a", "web") + "," + rule("b", "web.shop"), sluice.Invalid,
			"several DestinationRules are for Service/web: a, b"},
		"two routes": {strings.Replace(virtualRoute, `"http":[`, `"http":[{"name":"old",
			"route":[{"destination":{"host":"web"}}]},`, 1), "",
			sluice.Invalid, "2 HTTP routes of VirtualService/web send to Service/web: old, one without a name"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t)
			s.on("GET "+meshRoute, answer{body: test.route})
			s.may("GET "+meshRules, list("1", test.rules))
			wantError(t, s.Shift(t.Context(), inMesh(20)), test.code, test.text)
			if n := len(s.sent("PATCH ")); n > 0 {
				t.Errorf("%d objects were written", n)
			}
		})
	}
}
