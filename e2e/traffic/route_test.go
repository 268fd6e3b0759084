package traffic_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice"
)

const httpRoute = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop}
spec:
  parentRefs: [{name: gateway}]
  rules:
    - matches: [{path: {type: PathPrefix, value: /api}}]
      backendRefs: [{name: api, port: 80, weight: 1}, {name: web, port: 8080, weight: 1}]
    - backendRefs: [{name: web, port: 8080}]
    - matches: [{path: {type: PathPrefix, value: /login}}]
      backendRefs: [{name: login, port: 80}]
`

// A weight is the share of one backend of a route.
type weight struct {
	Backend string
	Weight  int
}

func weights(list any, name ...string) []weight {
	var all []weight
	entries, _ := list.([]any)
	for _, e := range entries {
		o := sluice.Object(e.(map[string]any))
		all = append(all, weight{o.Text(name...), o.Number(-1, "weight")})
	}
	return all
}

func (s *shop) rule(kind, name string, i int) []weight {
	rules := s.get(kind, name).Field("spec", "rules").([]any)
	return weights(rules[i].(map[string]any)["backendRefs"], "name")
}

func (s *shop) same(what string, want, got any) {
	s.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		s.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// gone fails if the object exists.
func (s *shop) gone(kind, name string) {
	s.Helper()
	if _, err := s.of(kind).Get(s.Context(), name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		s.Errorf("%s/%s is left: %v", kind, name, err)
	}
}

func TestGatewayRoute(t *testing.T) {
	s := newShop(t)
	s.put(httpRoute)
	route, was := s.get("HTTPRoute", "shop"), s.get("Service", "web")
	by := sluice.Traffic{Gateway: []sluice.GatewayRoute{{Kind: "HTTPRoute", Name: "shop", Service: "web"}}}
	s.shift(0, by)
	s.withCanary(1)
	s.unchanged(route)

	s.shift(20, by)
	s.same("a rule with another backend", []weight{{"api", 100}, {"web", 80}, {"web-canary", 20}},
		s.rule("HTTPRoute", "shop", 0))
	s.same("a rule for the Service", []weight{{"web", 80}, {"web-canary", 20}}, s.rule("HTTPRoute", "shop", 1))
	s.same("a rule of somebody else", []weight{{"login", 1}}, s.rule("HTTPRoute", "shop", 2))
	canary := s.get("Service", "web-canary")
	s.same("the canary's pods", map[string]any{"app": "web", sluice.TrackLabel: sluice.TrackCanary},
		canary.Field("spec", "selector"))
	for _, o := range []sluice.Object{was, route, canary} {
		s.unwritten(o.Text("kind"), o.Text("metadata", "name"), func() { s.shift(20, by) })
	}

	s.shift(100, by)
	s.same("everything", []weight{{"web", 0}, {"web-canary", 100}}, s.rule("HTTPRoute", "shop", 1))
	s.put(deployment("web", 2, "", "2"))
	s.ready("web")
	s.shift(0, by)
	s.release(by)
	s.unchanged(route)
	s.unchanged(was)
	s.gone("Service", "web-canary")
	s.release(by)
}

// A process that knows only the division can put back what Shift did, from any weight.
func TestReleaseFromTheMiddle(t *testing.T) {
	s := newShop(t)
	s.put(httpRoute)
	route, was := s.get("HTTPRoute", "shop"), s.get("Service", "web")
	by := sluice.Traffic{Gateway: []sluice.GatewayRoute{{Kind: "HTTPRoute", Name: "shop", Service: "web"}}}
	s.withCanary(1)
	s.shift(60, by)
	s.release(by)
	s.unchanged(route)
	s.unchanged(was)
	s.gone("Service", "web-canary")
}

func TestAForeignCanaryServiceIsNotTouched(t *testing.T) {
	s := newShop(t)
	s.put(httpRoute)
	s.put(service("web-canary"))
	foreign := s.get("Service", "web-canary")
	by := sluice.Traffic{Gateway: []sluice.GatewayRoute{{Kind: "HTTPRoute", Name: "shop", Service: "web"}}}
	for _, percent := range []int{0, 20} {
		if err := s.account.Shift(t.Context(), s.division(percent, by)); sluice.ErrorCode(err) != sluice.Conflict {
			t.Errorf("shift to %d %%: %v", percent, err)
		}
	}
	s.release(by)
	s.unchanged(foreign)
}

func TestGRPCRoute(t *testing.T) {
	s := newShop(t)
	s.put(`{apiVersion: gateway.networking.k8s.io/v1, kind: GRPCRoute, metadata: {name: shop}, ` +
		`spec: {rules: [{backendRefs: [{name: web, port: 8080}]}]}}`)
	route := s.get("GRPCRoute", "shop")
	by := sluice.Traffic{Gateway: []sluice.GatewayRoute{{Kind: "GRPCRoute", Name: "shop", Service: "web"}}}
	s.withCanary(1)
	s.shift(5, by)
	s.same("weights", []weight{{"web", 95}, {"web-canary", 5}}, s.rule("GRPCRoute", "shop", 0))
	s.release(by)
	s.unchanged(route)
}

func TestARouteThatSendsNothingToTheServiceIsRefused(t *testing.T) {
	s := newShop(t)
	s.put(`{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: shop}, ` +
		`spec: {rules: [{backendRefs: [{name: api, port: 80}]}]}}`)
	for name, want := range map[string]sluice.Code{"shop": sluice.Invalid, "none": sluice.NotFound} {
		by := sluice.Traffic{Gateway: []sluice.GatewayRoute{{Kind: "HTTPRoute", Name: name, Service: "web"}}}
		if err := s.account.Shift(t.Context(), s.division(0, by)); sluice.ErrorCode(err) != want {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
		s.release(by)
	}
}

func TestIstio(t *testing.T) {
	s := newShop(t)
	s.put(`{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: shop}, ` +
		`spec: {hosts: [web], http: [{name: main, route: [{destination: {host: web}}]},
		{name: other, match: [{uri: {prefix: /x}}], route: [{destination: {host: web}}]}]}}`)
	s.put(`{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {name: web}, ` +
		`spec: {host: web.` + s.namespace + `.svc.cluster.local}}`)
	route, rule, was := s.get("VirtualService", "shop"), s.get("DestinationRule", "web"), s.get("Service", "web")
	unnamed := s.division(0, sluice.Traffic{Istio: []sluice.Istio{{VirtualService: "shop"}}})
	if err := s.account.Shift(t.Context(), unnamed); sluice.ErrorCode(err) != sluice.Invalid {
		t.Errorf("two routes and no name: %v", err)
	}
	by := sluice.Traffic{Istio: []sluice.Istio{{VirtualService: "shop", HTTPRoute: "main"}}}
	s.shift(0, by)
	s.withCanary(1)
	s.same("before the canary", []weight{{"stable", -1}}, s.subsets(0))
	s.shift(30, by)
	s.same("the route", []weight{{"stable", 70}, {"canary", 30}}, s.subsets(0))
	s.same("the other route", []weight{{"", -1}}, s.subsets(1))
	s.unchanged(was) // a subset is a part of it
	for kind, name := range map[string]string{"VirtualService": "shop", "DestinationRule": "web"} {
		s.unwritten(kind, name, func() { s.shift(30, by) })
	}
	before := s.get("DestinationRule", "web")
	s.shift(100, by)
	s.put(deployment("web", 2, "", "2"))
	s.ready("web")
	s.shift(0, by)
	if cmp.Equal(before["spec"], s.get("DestinationRule", "web")["spec"]) {
		t.Error("the stable subset still names the pods of the old version")
	}
	s.release(by)
	s.unchanged(route)
	s.unchanged(rule)
	s.release(by)
}

func (s *shop) subsets(i int) []weight {
	routes := s.get("VirtualService", "shop").Field("spec", "http").([]any)
	return weights(routes[i].(map[string]any)["route"], "destination", "subset")
}

func TestSMI(t *testing.T) {
	s := newShop(t)
	was := s.get("Service", "web")
	by := sluice.Traffic{SMI: []sluice.SMI{{RootServiceName: "web", CanaryServiceName: "web-next",
		TrafficSplitName: "web"}}}
	s.shift(0, by)
	s.withCanary(1)
	s.gone("TrafficSplit", "web")
	s.shift(7, by)
	s.same("the split", []weight{{"web", 93}, {"web-next", 7}},
		weights(s.get("TrafficSplit", "web").Field("spec", "backends"), "service"))
	s.unwritten("TrafficSplit", "web", func() { s.shift(7, by) })
	s.shift(50, by)
	s.same("the split", []weight{{"web", 50}, {"web-next", 50}},
		weights(s.get("TrafficSplit", "web").Field("spec", "backends"), "service"))
	s.release(by)
	s.gone("TrafficSplit", "web")
	s.gone("Service", "web-next")
	s.unchanged(was)
}

// Shift uses the owner's TrafficSplit and canary Service. Afterwards both are as before.
func TestSMIOfTheOwner(t *testing.T) {
	s := newShop(t)
	s.put(service("web-canary"))
	s.put(`{apiVersion: split.smi-spec.io/v1alpha4, kind: TrafficSplit, metadata: {name: web}, spec: {service: web, ` +
		`backends: [{service: web, weight: 1}, {service: web-canary, weight: 0}]}}`)
	split, canary := s.get("TrafficSplit", "web"), s.get("Service", "web-canary")
	by := sluice.Traffic{SMI: []sluice.SMI{{RootServiceName: "web", CanaryServiceName: "web-canary",
		TrafficSplitName: "web"}}}
	s.withCanary(1)
	s.shift(25, by)
	s.same("the split", []weight{{"web", 75}, {"web-canary", 25}},
		weights(s.get("TrafficSplit", "web").Field("spec", "backends"), "service"))
	s.release(by)
	s.unchanged(split)
	s.unchanged(canary)
}
