package rollout_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
)

const routed = `
canary:
  steps:
    - setWeight: {weight: 10}
    - pause: {untilApproved: true}
    - setWeight: {weight: 60}
    - pause: {untilApproved: true}
trafficManagement:
  - gateway: [{httpRoute: web, service: web}]
`

// route has a rule for the application that also contains another backend, and a rule for something else.
const route = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web}
spec:
  parentRefs: [{name: gateway}]
  rules:
    - backendRefs: [{name: web, port: 80, weight: 9}, {name: legacy, port: 80, weight: 1}]
    - matches: [{path: {type: PathPrefix, value: /login}}]
      backendRefs: [{name: login, port: 80}]
`

// weights returns the weights in the route's first rule, by backend.
func (s shop) weights() map[string]int {
	s.Helper()
	rules, _ := s.Get("HTTPRoute", "web").Field("spec", "rules").([]any)
	backends, _ := rules[0].(map[string]any)["backendRefs"].([]any)
	all := map[string]int{}
	for _, b := range backends {
		b := sluice.Object(b.(map[string]any))
		all[b.Text("name")] = b.Number(1, "weight")
	}
	return all
}

func TestRouteWeightsMoveAndComeBack(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.installed(routed)
	s.Put(route)
	before := s.Snapshot()
	s.release("v2", "green")
	for _, ending := range []string{"rollback", "approve"} {
		p := s.Start("run", "-f", "deploy.yaml")
		p.Await(waits("production/canary/1"))
		share := func(stable, canary int) {
			t.Helper()
			want := map[string]int{"web": stable, "web-canary": canary, "legacy": 100}
			if diff := cmp.Diff(want, s.weights()); diff != "" {
				t.Errorf("weights (-want +got):\n%s", diff)
			}
		}
		share(810, 90)
		s.expect("web-canary", map[string]int{"v2": 4})
		s.approve()
		p.Await(waits("production/canary/3"))
		share(360, 540)
		s.command(ending)
		if ending == "rollback" {
			s.RollsBack(p)
			s.Unchanged(before)
			continue
		}
		s.Ends(sluice.StatusSucceeded, p)
		s.Unchanged(before, "Deployment/web", "ConfigMap/web*")
	}
	s.expect("web", map[string]int{"v2": 4})
}
