package traffic_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/traffic"
)

func kept(t *testing.T, declared, live sluice.Object) sluice.Object {
	t.Helper()
	o, err := traffic.Keep(declared, stored(t, live))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// Declaring again what was declared before is no change while the traffic is divided; what is new is divided too,
// and all of it is the owner's once the division goes.
func TestADeclaredObjectKeepsTheDivision(t *testing.T) {
	web := traffic.Share{Service: "web", Percent: 20, Canary: "web-canary"}
	mesh := traffic.Share{Service: "web", Percent: 20, Stable: "stable", Canary: "canary"}
	narrowed := func(o sluice.Object) sluice.Object {
		n, err := traffic.Narrow(o, traffic.Tracks{Stable: "stable", Canary: "canary", Hash: "5d4f"})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for name, c := range map[string]struct {
		declared, changed string
		divide, restore   func(sluice.Object) sluice.Object
	}{
		"Service": {
			`{"kind":"Service","metadata":{"name":"web"},"spec":{"selector":{"app":"web"}}}`,
			`{"kind":"Service","metadata":{"name":"web"},"spec":{"selector":{"app":"web","tier":"shop"}}}`,
			func(o sluice.Object) sluice.Object { return pinned(t, o, toStable) },
			func(o sluice.Object) sluice.Object { return pinned(t, o, nil) },
		},
		"HTTPRoute": {
			`{"kind":"HTTPRoute","metadata":{"name":"web"},"spec":{"rules":[{"backendRefs":[{"name":"web","port":80}]}]}}`,
			`{"kind":"HTTPRoute","metadata":{"name":"web"},"spec":{"rules":[{"backendRefs":[{"name":"login"}]},
				{"backendRefs":[{"name":"web","port":90}]}]}}`,
			func(o sluice.Object) sluice.Object { return divided(t, traffic.Gateway, o, web) },
			func(o sluice.Object) sluice.Object { return restored(t, traffic.Gateway, o, "web") },
		},
		"VirtualService": {
			`{"kind":"VirtualService","metadata":{"name":"web"},"spec":{"http":[{"route":[{"destination":{"host":"web"}}]}]}}`,
			`{"kind":"VirtualService","metadata":{"name":"web"},"spec":{"http":[{"route":[{"destination":{"host":"web"}}]},
				{"route":[{"destination":{"host":"api"}}]}]}}`,
			func(o sluice.Object) sluice.Object { return divided(t, traffic.VirtualService, o, mesh) },
			func(o sluice.Object) sluice.Object { return restored(t, traffic.VirtualService, o, "web") },
		},
		"TrafficSplit": {
			`{"apiVersion":"split.smi-spec.io/v1alpha4","kind":"TrafficSplit","metadata":{"name":"web"},
				"spec":{"backends":[{"service":"web","weight":1}]}}`,
			`{"apiVersion":"split.smi-spec.io/v1alpha4","kind":"TrafficSplit","metadata":{"name":"web"},
				"spec":{"backends":[{"service":"web","weight":1},{"service":"api","weight":1}]}}`,
			func(o sluice.Object) sluice.Object { return divided(t, traffic.Split, o, web) },
			func(o sluice.Object) sluice.Object { return restored(t, traffic.Split, o, "web") },
		},
		"DestinationRule": {
			`{"kind":"DestinationRule","metadata":{"name":"web"},"spec":{"host":"web"}}`,
			`{"kind":"DestinationRule","metadata":{"name":"web"},"spec":{"host":"web","subsets":[{"name":"stable",
				"labels":{"app":"web"}}]}}`,
			narrowed, traffic.Widen,
		},
	} {
		t.Run(name, func(t *testing.T) {
			declared, changed := object(t, c.declared), object(t, c.changed)
			live := c.divide(declared)
			if diff := cmp.Diff(live, kept(t, declared, live)); diff != "" {
				t.Errorf("the same again (-live +kept):\n%s", diff)
			}
			now := kept(t, changed, live)
			if diff := cmp.Diff(c.divide(changed), now); diff != "" {
				t.Errorf("something new (-divided +kept):\n%s", diff)
			}
			if diff := cmp.Diff(changed, c.restore(stored(t, now))); diff != "" {
				t.Errorf("afterwards (-declared +now):\n%s", diff)
			}
			if diff := cmp.Diff(changed, kept(t, changed, declared)); diff != "" {
				t.Errorf("nothing is divided (-declared +kept):\n%s", diff)
			}
		})
	}
}
