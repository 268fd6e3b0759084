package traffic_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/traffic"
)

var (
	toStable = map[string]string{traffic.HashLabel: "5d4f"}
	toCanary = map[string]string{sluice.TrackLabel: sluice.TrackCanary}
)

func pinned(t *testing.T, o sluice.Object, labels map[string]string) sluice.Object {
	t.Helper()
	p, err := traffic.Pin(stored(t, o), labels)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPin(t *testing.T) {
	const service = `{"kind":"Service","metadata":{"name":"web"},"spec":{"selector":{"app":"web"}}}`
	was := object(t, service)
	stable := pinned(t, was, toStable)
	if diff := cmp.Diff(map[string]any{"app": "web", traffic.HashLabel: "5d4f"}, stable.Field("spec",
		"selector")); diff != "" {
		t.Errorf("stable (-want +got):\n%s", diff)
	}
	canary := pinned(t, stable, toCanary)
	if diff := cmp.Diff(map[string]any{"app": "web", sluice.TrackLabel: "canary"}, canary.Field("spec",
		"selector")); diff != "" {
		t.Errorf("canary after stable (-want +got):\n%s", diff)
	}
	if traffic.Difference(canary, pinned(t, canary, toCanary)) != nil {
		t.Error("pinning twice writes twice")
	}
	if diff := cmp.Diff(was, pinned(t, canary, nil)); diff != "" {
		t.Errorf("unpinned (-want +got):\n%s", diff)
	}
	if traffic.Difference(was, pinned(t, was, nil)) != nil {
		t.Error("what was never pinned is changed")
	}
}

func TestUnpinKeepsWhatOthersDid(t *testing.T) {
	now := pinned(t, object(t, `{"kind":"Service","metadata":{"name":"web"},"spec":{"selector":{"app":"web",
		"pod-template-hash":"own"}}}`), toStable)
	now.Set("prod", "spec", "selector", "tier")
	want := map[string]any{"app": "web", "tier": "prod", "pod-template-hash": "own"}
	if diff := cmp.Diff(want, pinned(t, now, nil).Field("spec", "selector")); diff != "" {
		t.Errorf("an added label goes, or a replaced one does not come back (-want +got):\n%s", diff)
	}
	now.Set(map[string]any{"app": "web2"}, "spec", "selector")
	if diff := cmp.Diff(map[string]any{"app": "web2"}, pinned(t, now, nil).Field("spec", "selector")); diff != "" {
		t.Errorf("a selector that somebody wrote anew (-want +got):\n%s", diff)
	}
}

func TestAServiceWithoutSelectorCannotBePinned(t *testing.T) {
	o := object(t, `{"kind":"Service","metadata":{"name":"outside"},"spec":{"type":"ExternalName"}}`)
	if _, err := traffic.Pin(o, toCanary); sluice.ErrorCode(err) != sluice.Unsupported || sluice.ErrorHint(err) == "" {
		t.Errorf("got %v", err)
	}
	if _, err := traffic.Pin(o, nil); err != nil {
		t.Errorf("there is nothing to unpin: %v", err)
	}
}

func TestCanaryService(t *testing.T) {
	service := pinned(t, object(t, `{"kind":"Service","metadata":{"name":"web","namespace":"prod","uid":"u1",
		"labels":{"app":"web","app.kubernetes.io/managed-by":"Helm"}},
		"spec":{"type":"LoadBalancer","clusterIP":"10.0.0.1","clusterIPs":["10.0.0.1"],"sessionAffinity":"None",
			"selector":{"app":"web"},
		"ports":[{"name":"http","port":80,"targetPort":"http","protocol":"TCP","appProtocol":"kubernetes.io/h2c",
			"nodePort":30080}]}}`), toStable)
	got, err := traffic.Canary(service, "web-canary", "7c9d5f")
	if err != nil {
		t.Fatal(err)
	}
	want := object(t, `{"apiVersion":"v1","kind":"Service","metadata":{"name":"web-canary","namespace":"prod",
		"labels":{"app":"web","sluice-cd.github.io/track":"canary"},
			"annotations":{"sluice-cd.github.io/traffic":"{\"made\":\"web\"}"},
		"ownerReferences":[{"apiVersion":"v1","kind":"Service","name":"web","uid":"u1"}]},
		"spec":{"type":"ClusterIP","sessionAffinity":"None","selector":{"app":"web","sluice-cd.github.io/release":"7c9d5f"},
		"ports":[{"name":"http","port":80,"targetPort":"http","protocol":"TCP","appProtocol":"kubernetes.io/h2c"}]}}`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if traffic.MadeFor(got) != "web" || traffic.MadeFor(service) != "" {
		t.Error("it cannot be told who made which Service")
	}
}

// Users who keep a Service or a subset for canaries may have written the label that earlier versions gave their pods.
func TestCanaryOfAReleaseWithTheTrackLabelOfEarlierVersions(t *testing.T) {
	const selector = `{"app":"web","sluice-cd.github.io/track":"canary"}`
	want := map[string]any{"app": "web", sluice.ReleaseLabel: "7c9d5f"}
	service := object(t, `{"kind":"Service","metadata":{"name":"web-canary"},"spec":{"selector":`+selector+`}}`)
	pin := traffic.CanaryLabels("7c9d5f", traffic.Selector(service))
	now := pinned(t, pinned(t, service, pin), pin)
	if diff := cmp.Diff(want, now.Field("spec", "selector")); diff != "" {
		t.Errorf("the Service selects (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(service, pinned(t, now, nil)); diff != "" {
		t.Errorf("the Service is not put back (-was +now):\n%s", diff)
	}

	rule := object(t, `{"kind":"DestinationRule","metadata":{"name":"web"},"spec":{"subsets":[{"name":"canary",
		"labels":`+selector+`}]}}`)
	tracks := traffic.Tracks{Stable: "stable", Canary: "canary", Hash: "5d4f", Release: "7c9d5f"}
	narrowed, err := traffic.Narrow(rule, tracks)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, narrowed.List("spec", "subsets")[0]["labels"]); diff != "" {
		t.Errorf("the subset has (-want +got):\n%s", diff)
	}
	kept, err := traffic.Keep(rule, stored(t, narrowed))
	if err != nil || traffic.Difference(narrowed, kept) != nil {
		t.Errorf("declared again, it becomes %v, %v", kept, err)
	}
	if diff := cmp.Diff(rule, traffic.Widen(stored(t, narrowed))); diff != "" {
		t.Errorf("the rule is not put back (-was +now):\n%s", diff)
	}
}

func TestHash(t *testing.T) {
	deployment := object(t, `{"kind":"Deployment","metadata":{"name":"web","uid":"d1","generation":4,
		"annotations":{"deployment.kubernetes.io/revision":"2"}},"status":{"observedGeneration":4}}`)
	set := func(uid, revision, hash string) sluice.Object {
		return object(t, `{"metadata":{"labels":{"pod-template-hash":"`+hash+`"},
			"annotations":{"deployment.kubernetes.io/revision":"`+revision+`"},
			"ownerReferences":[{"uid":"`+uid+`","controller":true}]}}`)
	}
	sets := []sluice.Object{set("d1", "1", "old"), set("d9", "2", "foreign"), set("d1", "2", "new")}
	if got, err := traffic.Hash(deployment, sets); got != "new" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := traffic.Hash(deployment, sets[:2]); sluice.ErrorCode(err) != sluice.Unavailable {
		t.Errorf("no current replica set: got %v", err)
	}
	deployment.Set(int64(5), "metadata", "generation")
	if _, err := traffic.Hash(deployment, sets); sluice.ErrorCode(err) != sluice.Unavailable {
		t.Errorf("a change that nobody has seen: got %v", err)
	}
}

func TestReadyAndSettled(t *testing.T) {
	pod := func(name, track, ready, more string) sluice.Object {
		return object(t, `{"metadata":{"name":"`+name+`","labels":{"app":"web","track":"`+track+`"}`+more+`},
			"status":{"conditions":[{"type":"Ready","status":"`+ready+`"}]}}`)
	}
	pods := []sluice.Object{pod("c", "a", "True", ""), pod("a", "a", "True", ""), pod("x", "a", "False", ""), pod("y",
		"a", "True", `,"deletionTimestamp":"now"`), pod("z", "b", "True", "")}
	ready := traffic.Ready(pods, map[string]string{"app": "web", "track": "a"})
	if diff := cmp.Diff([]string{"a", "c"}, ready); diff != "" {
		t.Errorf("ready (-want +got):\n%s", diff)
	}
	slice := func(family, endpoints string) sluice.Object {
		return object(t, `{"addressType":"`+family+`","endpoints":[`+endpoints+`]}`)
	}
	const a, c, x = `{"targetRef":{"name":"a"},"conditions":{"ready":true}}`, `{"targetRef":{"name":"c"}}`,
		`{"targetRef":{"name":"x"},"conditions":{"ready":false}}`
	for name, s := range map[string]struct {
		reason string
		slices []sluice.Object
		want   bool
	}{
		"exact": {"both are there, what is not ready counts for nothing", []sluice.Object{slice("IPv4", a+","+x),
			slice("IPv4", c)}, true},
		"one missing": {"a ready pod gets nothing yet", []sluice.Object{slice("IPv4", a)}, false},
		"one too many": {"the other side gets something still", []sluice.Object{slice("IPv4",
			a+","+c+`,{"targetRef":{"name":"z"}}`)}, false},
		"second family": {"clients of the other family reach too few", []sluice.Object{slice("IPv4", a+","+c), slice("IPv6",
			a)}, false},
		"no slices": {"the controller has not come to it", nil, false},
	} {
		if got := traffic.Settled(s.slices, ready); got != s.want {
			t.Errorf("%s: %v: %s", name, got, s.reason)
		}
	}
	if !traffic.Settled([]sluice.Object{slice("IPv4", "")}, nil) {
		t.Error("nothing is exactly nothing")
	}
}

func TestTakenUp(t *testing.T) {
	const head = `{"metadata":{"generation":3},"status":{"parents":[{"parentRef":{"name":"gw"},"conditions":[`
	for name, c := range map[string]struct {
		route string
		want  bool
	}{
		"nobody says anything": {`{"metadata":{"generation":3}}`, true},
		"up to date": {head + `{"type":"Accepted","status":"True","observedGeneration":3},{"type":"ResolvedRefs",
			"status":"True","observedGeneration":3}]}]}}`, true},
		"behind":         {head + `{"type":"Accepted","status":"True","observedGeneration":2}]}]}}`, false},
		"does not count": {head + `{"type":"Accepted","status":"True"}]}]}}`, true},
		"cannot": {head + `{"type":"ResolvedRefs","status":"False","observedGeneration":3,
			"message":"no backend"}]}]}}`, false},
	} {
		if got, why := traffic.TakenUp(object(t, c.route)); got != c.want || got == (why != "") {
			t.Errorf("%s: %v, %q", name, got, why)
		}
	}
}

func TestNarrow(t *testing.T) {
	tracks := traffic.Tracks{Stable: "stable", Canary: "canary", Hash: "5d4f"}
	for name, c := range map[string]struct{ reason, was, want string }{
		"no subsets": {"both are made", `{"host":"web"}`,
			`{"host":"web","subsets":[{"name":"stable","labels":{"pod-template-hash":"5d4f"}},{"name":"canary",
				"labels":{"sluice-cd.github.io/track":"canary"}}]}`},
		"stable only": {"its labels stay, and the canary's is made",
			`{"host":"web","subsets":[{"name":"stable","labels":{"app":"web"},"trafficPolicy":{"x":1}}]}`,
			`{"host":"web","subsets":[{"name":"stable","labels":{"app":"web","pod-template-hash":"5d4f"},
				"trafficPolicy":{"x":1}},{"name":"canary","labels":{"sluice-cd.github.io/track":"canary"}}]}`},
		"both, without labels": {"a subset may have none", `{"host":"web","subsets":[{"name":"canary"},{"name":"stable"}]}`,
			`{"host":"web","subsets":[{"name":"canary","labels":{"sluice-cd.github.io/track":"canary"}},{"name":"stable",
				"labels":{"pod-template-hash":"5d4f"}}]}`},
		"empty list": {"an empty list is an empty list again", `{"host":"web","subsets":[]}`,
			`{"host":"web","subsets":[{"name":"stable","labels":{"pod-template-hash":"5d4f"}},{"name":"canary",
				"labels":{"sluice-cd.github.io/track":"canary"}}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			was := object(t, `{"kind":"DestinationRule","metadata":{"name":"web"},"spec":`+c.was+`}`)
			now, err := traffic.Narrow(was, tracks)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(map[string]any(object(t, c.want)), now["spec"]); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.reason, diff)
			}
			again, err := traffic.Narrow(stored(t, now), tracks)
			if err != nil || traffic.Difference(now, again) != nil {
				t.Errorf("narrowing twice writes twice: %v", err)
			}
			moved, err := traffic.Narrow(stored(t, now), traffic.Tracks{Stable: "stable", Canary: "canary", Hash: "new"})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(was, traffic.Widen(stored(t, moved))); diff != "" {
				t.Errorf("it is not put back (-was +now):\n%s", diff)
			}
		})
	}
}

func TestWidenKeepsWhatOthersDid(t *testing.T) {
	was := object(t, `{"kind":"DestinationRule","metadata":{"name":"web"},"spec":{"subsets":[{"name":"stable",
		"labels":{"app":"web"}}]}}`)
	now, err := traffic.Narrow(was, traffic.Tracks{Stable: "stable", Canary: "canary", Hash: "5d4f"})
	if err != nil {
		t.Fatal(err)
	}
	now = stored(t, now)
	list := now.Field("spec", "subsets").([]any)
	sluice.Object(list[0].(map[string]any)).Set("shop", "labels", "tier")
	now.Set(append(list, map[string]any{"name": "eu"}), "spec", "subsets")
	want := object(t, `{"subsets":[{"name":"stable","labels":{"app":"web","tier":"shop"}},{"name":"eu"}]}`)
	if diff := cmp.Diff(map[string]any(want), traffic.Widen(now)["spec"]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDifference(t *testing.T) {
	for name, c := range map[string]struct{ from, to, want string }{
		"added":   {`{"a":{}}`, `{"a":{"b":1}}`, `{"a":{"b":1}}`},
		"removed": {`{"a":{"b":1,"c":2}}`, `{"a":{"c":2}}`, `{"a":{"b":null}}`},
		"list":    {`{"a":[1,2]}`, `{"a":[2]}`, `{"a":[2]}`},
		"whole":   {`{"a":{"b":1}}`, `{}`, `{"a":null}`},
	} {
		got := traffic.Difference(object(t, c.from), object(t, c.to))
		if diff := cmp.Diff(map[string]any(object(t, c.want)), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if got := traffic.Difference(object(t, `{"a":[{"b":1}]}`), object(t, `{"a":[{"b":1}]}`)); got != nil {
		t.Errorf("the same is a difference: %v", got)
	}
}
