package kubernetes_test

import (
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/traffic"
)

const (
	servicePath = "/api/v1/namespaces/shop/services/"
	slicesPath  = "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices"
	plainWeb    = `{"apiVersion":"v1","kind":"Service","metadata":{"name":"web","namespace":"shop","resourceVersion":"7"},
		"spec":{"selector":{"app":"web"},"ports":[{"port":80}]}}`
	stableWeb = `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"shop","uid":"d",
		"generation":1,
		"annotations":{"deployment.kubernetes.io/revision":"3"}},"spec":{"replicas":1,"selector":{"matchLabels":{"app":"web",
			"tier":"front"}}},
		"status":{"observedGeneration":1,"replicas":1,"updatedReplicas":1,"readyReplicas":1}}`
)

func to(percent int) sluice.Division {
	return sluice.Division{Namespace: "shop", Service: "web", Declared: true, Stable: "web", Canary: "web-canary",
		Percent: percent}
}

// pinned is the Service as traffic narrows it.
func pinned(t *testing.T, labels map[string]string) string {
	o, err := traffic.Pin(object(t, plainWeb), labels)
	if err != nil {
		t.Fatal(err)
	}
	o.Set("8", "metadata", "resourceVersion")
	return text(t, o)
}

func aPod(name, labels, ready string) string {
	return `{"metadata":{"name":"` + name + `","namespace":"shop","labels":{"app":"web"` + labels + `}},
		"status":{"phase":"Running","conditions":[{"type":"Ready","status":"` + ready + `"}]}}`
}

func endpoints(pods ...string) string { return endpointsOf("web", pods...) }

func endpointsOf(service string, pods ...string) string {
	var all []string
	for _, p := range pods {
		all = append(all, `{"conditions":{"ready":true},"targetRef":{"kind":"Pod","name":"`+p+`"}}`)
	}
	return `{"metadata":{"name":"` + service + `-x","namespace":"shop",
		"labels":{"kubernetes.io/service-name":"` + service + `"}},
		"addressType":"IPv4","endpoints":[` + strings.Join(all, ",") + `]}`
}

const canaryLabel = `,"sluice-cd.github.io/track":"canary"`

// All traffic goes to the canary once its pods are the Service's only endpoints. Somebody else's write in between is
// kept.
func TestShiftToTheCanary(t *testing.T) {
	s := serve(t)
	ctx := s.soon()
	service := pinned(t, map[string]string{sluice.TrackLabel: sluice.TrackCanary})
	s.on("GET "+servicePath+"web", answer{body: plainWeb}, answer{body: strings.Replace(plainWeb, `"7"`, `"8"`, 1)})
	s.on("PATCH "+servicePath+"web", modified("services", "web"), answer{body: service})
	s.has(podsPath, aPod("c", canaryLabel, "True"))
	s.on("GET "+slicesPath, list("1", endpoints("old", "c")))
	s.on("WATCH "+slicesPath, answer{body: frame("MODIFIED", endpoints("c"))})
	if err := s.Shift(ctx, to(100)); err != nil {
		t.Fatal(err)
	}
	for i, version := range []string{"7", "8"} {
		body := s.sent("PATCH ")[i].body
		if !strings.Contains(body, `"resourceVersion":"`+version+`"`) || !strings.Contains(body,
			`"selector":{"sluice-cd.github.io/track":"canary"}`) {
			t.Errorf("patch %d is %s", i, body)
		}
	}
}

func TestShiftSendsNothingToASideWithoutReadyPods(t *testing.T) {
	s := serve(t)
	s.on("GET "+servicePath+"web", answer{body: plainWeb})
	s.on("GET "+podsPath, list("1", aPod("c", canaryLabel, "False"), aPod("s", "", "True")))
	err := s.Shift(t.Context(), to(100))
	wantError(t, err, sluice.Failed, "none of Deployment/web-canary is ready")
	wantError(t, serve(t).Shift(t.Context(), to(101)), sluice.Invalid, "101 %")
}

// Stable pods that are not ready may be so again: an API server that was away calls the pods of its nodes unready.
func TestShiftBackToPodsThatAreNotReadyIsUnavailable(t *testing.T) {
	s := serve(t)
	s.keep(plainWeb, stableWeb, replicas(""), keptPod("c", released, "True"), keptPod("a", stableSet, "False"))
	wantError(t, s.Shift(s.soon(), toRelease(0, 0)), sluice.Unavailable, "none of Deployment/web is ready")
}

// Before there is a canary, a Service is refused or left alone where it cannot be divided.
func TestShiftBegins(t *testing.T) {
	const stable = `,"tier":"front"`
	rolling := strings.Replace(stableWeb, `"updatedReplicas":1`, `"updatedReplicas":0`, 1)
	undeclared := to(0)
	undeclared.Declared = false
	for name, test := range map[string]struct {
		of     sluice.Division
		pods   answer
		stable string
		code   sluice.Code
		text   string
	}{
		"others' pods": {to(0), list("1", aPod("s", stable, "True"), aPod("other", "", "True")), stableWeb,
			sluice.Unsupported, "it goes to Pod/other too"},
		"others' pods of somebody else's Service": {undeclared, list("1", aPod("other", "", "True")), stableWeb, "", ""},
		"a change is on its way": {to(0), list("1", aPod("s", stable, "True")), rolling, sluice.Unavailable,
			"is still rolling out"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t)
			s.on("GET "+servicePath+"web", answer{body: plainWeb})
			s.on("GET "+podsPath, test.pods)
			s.on("GET "+deployments+"web", answer{body: test.stable})
			wantError(t, s.Shift(t.Context(), test.of), test.code, test.text)
		})
	}
}

// The Service selects all its pods again after Release; what was never shifted is not written.
func TestRelease(t *testing.T) {
	s := serve(t)
	ctx := s.soon()
	s.on("GET "+servicePath+"web", answer{body: pinned(t, map[string]string{traffic.HashLabel: "abc"})})
	s.on("PATCH "+servicePath+"web", answer{body: plainWeb})
	s.has(slicesPath, endpoints("a", "b"))
	s.has(podsPath, aPod("a", "", "True"), aPod("b", canaryLabel, "True"))
	if err := s.Release(ctx, to(50)); err != nil {
		t.Fatal(err)
	}
	if body := s.sent("PATCH ")[0].body; !strings.Contains(body, `"selector":{"pod-template-hash":null}`) ||
		!strings.Contains(body, `"annotations":null`) {
		t.Errorf("the patch is %s", body)
	}
	for _, now := range []answer{{body: plainWeb}, notFound("services", "web")} {
		s = serve(t)
		s.on("GET "+servicePath+"web", now)
		if err := s.Release(ctx, to(50)); err != nil {
			t.Error(err)
		}
	}
}

// A gateway's route gets its weights after the canary's Service stands and has endpoints, and Shift waits until the
// gateway has taken them up.
func TestShiftOfARoute(t *testing.T) {
	s := serve(t)
	ctx := s.soon()
	const routes = "/apis/gateway.networking.k8s.io/v1/namespaces/shop/httproutes"
	route := func(generation, seen string) string {
		return `{"apiVersion":"gateway.networking.k8s.io/v1","kind":"HTTPRoute","metadata":{"name":"web","namespace":"shop",
			"generation":` + generation + `},
			"spec":{"rules":[{"backendRefs":[{"name":"web","port":80}]}]},"status":{"parents":[{"parentRef":{"name":"gw"},
			"conditions":[{"type":"Accepted","status":"True","observedGeneration":` + seen + `}]}]}}`
	}
	d := to(20)
	d.Traffic = []sluice.Traffic{{Gateway: []sluice.GatewayRoute{{Service: "web", Name: "web"}}}}
	canary, stable := aPod("c", canaryLabel, "True"), aPod("s", `,"tier":"front","pod-template-hash":"abc"`, "True")
	made, err := traffic.Canary(object(t, plainWeb), "web-canary", "")
	if err != nil {
		t.Fatal(err)
	}
	s.on("GET "+routes+"/web", answer{body: route("1", "1")}, answer{body: route("1", "1")})
	s.on("GET "+servicePath+"web", answer{body: plainWeb}, answer{body: plainWeb})
	s.on("GET "+servicePath+"web-canary", notFound("services", "web-canary"))
	s.on("POST "+strings.TrimSuffix(servicePath, "/"), answer{status: 201, body: text(t, made)})
	s.has(podsPath, canary, stable)
	s.has(slicesPath, endpointsOf("web-canary", "c"), endpointsOf("web", "s"))
	s.on("GET "+deployments+"web", answer{body: stableWeb})
	s.on("GET "+replicaSets, list("1", `{"metadata":{"labels":{"pod-template-hash":"abc"},
		"annotations":{"deployment.kubernetes.io/revision":"3"},"ownerReferences":[{"uid":"d","controller":true}]}}`))
	s.on("PATCH "+servicePath+"web", answer{body: pinned(t, map[string]string{traffic.HashLabel: "abc"})})
	s.on("PATCH "+routes+"/web", answer{body: route("2", "1")})
	s.on("GET "+routes, list("2", route("2", "1")))
	s.on("WATCH "+routes, answer{body: frame("MODIFIED", route("2", "2"))})
	if err := s.Shift(ctx, d); err != nil {
		t.Fatal(err)
	}
	if body := s.sent("PATCH " + routes)[0].body; !strings.Contains(body, `"weight":80`) || !strings.Contains(body,
		`"name":"web-canary","port":80,"weight":20`) {
		t.Errorf("the route becomes %s", body)
	}
}
