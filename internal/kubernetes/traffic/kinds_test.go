package traffic_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/traffic"
)

// object reads JSON as the objects of a cluster are read.
func object(t *testing.T, text string) sluice.Object {
	t.Helper()
	var o map[string]any
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return integers(o).(map[string]any)
}

// A kind is a shape and where its only list is.
type kind struct {
	shape traffic.Shape
	list  func(sluice.Object) any
}

var (
	gateway = kind{traffic.Gateway, func(o sluice.Object) any { return at(o, 0, "rules")["backendRefs"] }}
	virtual = kind{traffic.VirtualService, func(o sluice.Object) any { return at(o, 0, "http")["route"] }}
	split   = kind{traffic.Split, func(o sluice.Object) any { return o.Field("spec", "backends") }}
)

func TestDivide(t *testing.T) {
	web := func(percent int) traffic.Share {
		return traffic.Share{Service: "web", Percent: percent, Canary: "web-canary"}
	}
	mesh := func(percent int) traffic.Share {
		return traffic.Share{Service: "web", Percent: percent, Stable: "stable", Canary: "canary"}
	}
	cases := map[string]struct {
		reason    string
		kind      kind
		share     traffic.Share
		was, want string // of the only list
	}{
		"single backend": {"its weight means nothing, so the weights are the percentages", gateway, web(20),
			`[{"name":"web","port":80}]`, `[{"name":"web","port":80,"weight":80},{"name":"web-canary","port":80,"weight":20}]`},
		"filters": {"what is done to requests of the stable pods is done to those of the canary", gateway, web(5),
			`[{"name":"web","filters":[{"type":"X"}],"weight":1}]`,
			`[{"name":"web","filters":[{"type":"X"}],"weight":95},{"name":"web-canary","filters":[{"type":"X"}],"weight":5}]`},
		"nothing yet": {"a division without canary is none", gateway, web(0), `[{"name":"web"}]`, `[{"name":"web"}]`},
		"everything": {"the route keeps naming the Service", gateway, web(100),
			`[{"name":"web"}]`, `[{"name":"web","weight":0},{"name":"web-canary","weight":100}]`},
		"beside another": {"the Service's own weight is split, and 30 divides by 10", gateway, web(10),
			`[{"name":"api","weight":70},{"name":"web","weight":30}]`,
			`[{"name":"api","weight":700},{"name":"web","weight":270},{"name":"web-canary","weight":30}]`},
		"weights that do not divide": {"all are multiplied: the other keeps its half", gateway, web(10),
			`[{"name":"api"},{"name":"web"}]`, `[{"name":"api","weight":100},{"name":"web","weight":90},{"name":"web-canary",
				"weight":10}]`},
		"switched off": {"a backend without traffic stays so", gateway, web(10),
			`[{"name":"web","weight":0}]`, `[{"name":"web","weight":0},{"name":"web-canary","weight":0}]`},
		"not a Service": {"another kind of the same name is another backend", gateway, web(10),
			`[{"name":"web","kind":"Bucket","weight":1},{"name":"web","weight":1}]`,
			`[{"name":"web","kind":"Bucket","weight":100},{"name":"web","weight":90},{"name":"web-canary","weight":10}]`},
		"other namespace": {"another namespace's Service is another backend", gateway, web(50),
			`[{"name":"web","namespace":"dev","weight":2},{"name":"web","namespace":"prod","weight":2}]`,
			`[{"name":"web","namespace":"dev","weight":100},{"name":"web","namespace":"prod","weight":50},{"name":"web-canary",
				"namespace":"prod","weight":50}]`},
		"owner has both": {"a canary backend that the owner wrote is used", gateway, web(25),
			`[{"name":"web-canary","weight":0},{"name":"web","weight":100}]`,
			`[{"name":"web-canary","weight":25},{"name":"web","weight":75}]`},
		"owner has both, nothing yet": {"a canary backend gets nothing although its owner gave it something", gateway, web(0),
			`[{"name":"web","weight":50},{"name":"web-canary","weight":50}]`,
			`[{"name":"web","weight":100},{"name":"web-canary","weight":0}]`},
		"split": {"whole numbers", split, web(7),
			`[{"service":"web","weight":100}]`, `[{"service":"web","weight":93},{"service":"web-canary","weight":7}]`},
		"mesh without subsets": {"a single destination gets everything, without a weight", virtual, mesh(30),
			`[{"destination":{"host":"web","port":{"number":80}}}]`,
			`[{"destination":{"host":"web","port":{"number":80},"subset":"stable"},"weight":70},{"destination":{"host":"web",
				"port":{"number":80},"subset":"canary"},"weight":30}]`},
		"mesh, nothing yet": {"the traffic goes to the stable subset before there is a canary", virtual, mesh(0),
			`[{"destination":{"host":"web"}}]`, `[{"destination":{"host":"web","subset":"stable"}}]`},
		"mesh with both subsets": {"full names are names too", virtual, mesh(30),
			`[{"destination":{"host":"web.prod.svc.cluster.local","subset":"stable"},"weight":100},
				{"destination":{"host":"web.prod.svc.cluster.local","subset":"canary"},"weight":0}]`,
			`[{"destination":{"host":"web.prod.svc.cluster.local","subset":"stable"},"weight":70},
				{"destination":{"host":"web.prod.svc.cluster.local","subset":"canary"},"weight":30}]`},
		"mesh with another subset": {"a subset that is neither keeps its part", virtual, mesh(50),
			`[{"destination":{"host":"web","subset":"eu"},"weight":20},{"destination":{"host":"web","subset":"stable"},
				"weight":80}]`,
			`[{"destination":{"host":"web","subset":"eu"},"weight":100},{"destination":{"host":"web","subset":"stable"},
				"weight":200},{"destination":{"host":"web","subset":"canary"},"weight":200}]`},
		"mesh, another namespace": {"the same name elsewhere is another host", virtual, mesh(50),
			`[{"destination":{"host":"web.dev.svc.cluster.local"}}]`, `[{"destination":{"host":"web.dev.svc.cluster.local"}}]`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			was, list := routeWith(t, c.was)
			now := divided(t, c.kind.shape, was, c.share)
			if diff := cmp.Diff(any(list(c.want)), c.kind.list(now)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.reason, diff)
			}
			if diff := cmp.Diff(was, restored(t, c.kind.shape, stored(t, now), "web")); diff != "" {
				t.Errorf("it is not put back (-was +now):\n%s", diff)
			}
		})
	}
}

// routeWith returns an object that has the list wherever a shape looks for one.
func routeWith(t *testing.T, list string) (sluice.Object, func(string) []any) {
	t.Helper()
	read := func(s string) []any { return object(t, `{"list":`+s+`}`)["list"].([]any) }
	o := object(t, `{"kind":"Route","metadata":{"name":"r","namespace":"prod"},"spec":{}}`)
	o.Set([]any{map[string]any{"backendRefs": read(list)}}, "spec", "rules")
	o.Set([]any{map[string]any{"route": read(list)}}, "spec", "http")
	o.Set(read(list), "spec", "backends")
	return o, read
}

// Only the weights that nobody else changed go back; what somebody else wrote into a divided backend stays.
func TestAChangeOfTheOwnerWins(t *testing.T) {
	cases := map[string]struct{ reason, was, meanwhile, want string }{
		"weight of another": {"its owner's weight stays, the Service's goes back",
			`[{"name":"api","weight":1},{"name":"web","weight":1}]`,
			`[{"name":"api","weight":300},{"name":"web","weight":80},{"name":"web-canary","weight":20}]`,
			`[{"name":"api","weight":300},{"name":"web","weight":1}]`},
		"port of the Service": {"the port stays, the canary goes", `[{"name":"web","port":80}]`,
			`[{"name":"web","port":8080,"weight":80},{"name":"web-canary","port":80,"weight":20}]`,
			`[{"name":"web","port":8080}]`},
		"port of both": {"the canary is known by its name", `[{"name":"web","port":80}]`,
			`[{"name":"web","port":8080,"weight":80},{"name":"web-canary","port":8080,"weight":20}]`,
			`[{"name":"web","port":8080}]`},
		"written anew by a tool": {"nothing is left to put back", `[{"name":"web","port":80}]`, `[{"name":"web","port":80}]`,
			`[{"name":"web","port":80}]`},
		"the Service removed": {"it does not come back, and the canary goes", `[{"name":"web"}]`,
			`[{"name":"api"},{"name":"web-canary","weight":20}]`, `[{"name":"api"}]`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			was, list := routeWith(t, c.was)
			now := divided(t, traffic.Gateway, was, traffic.Share{Service: "web", Percent: 20, Canary: "web-canary"})
			at(now, 0, "rules")["backendRefs"] = list(c.meanwhile)
			got := restored(t, traffic.Gateway, stored(t, now), "web")
			if diff := cmp.Diff(list(c.want), at(got, 0, "rules")["backendRefs"]); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.reason, diff)
			}
			if got.Text("metadata", "annotations", traffic.Annotation) != "" {
				t.Errorf("%s: the annotation is left", c.reason)
			}
		})
	}
}

// A route that comes before the divided one moves it; its backends are found all the same.
func TestAMovedRuleIsPutBack(t *testing.T) {
	was, _ := routeWith(t, `[{"name":"web"}]`)
	now := divided(t, traffic.Gateway, was, traffic.Share{Service: "web", Percent: 20, Canary: "web-canary"})
	first := map[string]any{"backendRefs": []any{map[string]any{"name": "login"}}}
	now.Set(append([]any{first}, now.Field("spec", "rules").([]any)...), "spec", "rules")
	want := was.Clone()
	want.Set(append([]any{first}, was.Field("spec", "rules").([]any)...), "spec", "rules")
	if diff := cmp.Diff(want, restored(t, traffic.Gateway, stored(t, now), "web")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRoutesNamesThoseOfTheService(t *testing.T) {
	o := object(t, `{"metadata":{"namespace":"prod"},"spec":{"http":[
		{"name":"a","route":[{"destination":{"host":"web"}}]}, {"route":[{"destination":{"host":"web.prod"}}]}, {"name":"c",
			"route":[{"destination":{"host":"api"}}]}]}}`)
	got := traffic.VirtualService.Routes(o, traffic.Share{Service: "web", Stable: "stable", Canary: "canary"})
	if diff := cmp.Diff([]string{"a", ""}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s := traffic.Share{Service: "web", Percent: 10, Stable: "stable", Canary: "canary", Route: "a"}
	now := divided(t, traffic.VirtualService, o, s)
	if diff := cmp.Diff(at(o, 1, "http"), at(now, 1, "http")); diff != "" {
		t.Errorf("a route that is not named is divided (-was +now):\n%s", diff)
	}
	if len(at(now, 0, "http")["route"].([]any)) != 2 {
		t.Error("the named route is not divided")
	}
}

func TestActiveSubset(t *testing.T) {
	share := traffic.Share{Service: "web", Canary: "canary"}
	for name, c := range map[string]struct{ reason, route, want string }{
		"one": {"the subset that gets the traffic now", `[{"destination":{"host":"web","subset":"v1"}}]`, "v1"},
		"canary": {"the canary's own is none", `[{"destination":{"host":"web","subset":"v1"}},{"destination":{"host":"web",
			"subset":"canary"}}]`, "v1"},
		"none": {"there is no subset", `[{"destination":{"host":"web"}}]`, ""},
		"two": {"it cannot be told which", `[{"destination":{"host":"web","subset":"v1"}},{"destination":{"host":"web",
			"subset":"v2"}}]`, ""},
	} {
		o, _ := routeWith(t, c.route)
		if got := traffic.ActiveSubset(o, share); got != c.want {
			t.Errorf("%s: %q, want %q: %s", name, got, c.want, c.reason)
		}
	}
	o, _ := routeWith(t, `[{"destination":{"host":"web"}}]`)
	now := divided(t, traffic.VirtualService, o, traffic.Share{Service: "web", Percent: 10, Stable: "stable",
		Canary: "canary"})
	if got := traffic.ActiveSubset(stored(t, now), share); got != "" {
		t.Errorf("a subset that the division made is taken for the owner's: %q", got)
	}
}

func TestNewSplitIsDividedAndKnown(t *testing.T) {
	o, err := traffic.NewSplit("split.smi-spec.io/v1alpha2", "prod", "web", "web")
	if err != nil {
		t.Fatal(err)
	}
	now := stored(t, divided(t, traffic.Split, o, traffic.Share{Service: "web", Percent: 40, Canary: "web-next"}))
	want := object(t, `{"service":"web","backends":[{"service":"web","weight":60},{"service":"web-next","weight":40}]}`)
	if diff := cmp.Diff(map[string]any(want), now["spec"]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if traffic.MadeFor(now) != "web" {
		t.Error("it is not known any more that the split was made")
	}
}
