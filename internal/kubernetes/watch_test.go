package kubernetes_test

import (
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
)

const configMaps = "/api/v1/namespaces/shop/configmaps"

func configMap(name, version, value string) string {
	return `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"` + name + `","namespace":"shop","uid":"` + name +
		`","resourceVersion":"` + version +
		`","managedFields":[{"manager":"x"}]},"data":{"a":"` + value + `"}}`
}

// follow returns what the watch yields next, as name=value, with a ! for what is gone.
func follow(t *testing.T, seq iter.Seq2[sluice.Object, error]) (next func() string) {
	pull, stop := iter.Pull2(seq)
	t.Cleanup(stop)
	return func() string {
		o, err, ok := pull()
		if err != nil || !ok {
			return "end: " + string(sluice.ErrorCode(err))
		}
		if o.Text("kind") == "" || o.Field("metadata", "managedFields") != nil {
			t.Errorf("%v has no kind, or managedFields", o)
		}
		word := o.Text("metadata", "name") + "=" + o.Text("data", "a")
		if o.Text("metadata", "deletionTimestamp") != "" {
			word += "!"
		}
		return word
	}
}

// Those who watch learn what this account wrote before the API server tells of it, and never a state from before.
func TestWatchKnowsOwnWrites(t *testing.T) {
	s := serve(t)
	ctx := s.soon()
	begins, late := make(chan struct{}), make(chan struct{})
	s.on("GET "+configMaps, list("5", configMap("settings", "4", "listed")))
	s.on("WATCH "+configMaps, answer{then: func() { close(begins) }, when: late,
		body: frame("MODIFIED", configMap("settings", "6", "from the past")) +
			frame("ADDED", configMap("other", "9", "new")) + frame("DELETED", configMap("other", "10", "gone"))})
	next := follow(t, s.Watch(ctx, "v1", "ConfigMap", "shop"))
	if got := next(); got != "settings=listed" {
		t.Fatal(got)
	}
	<-begins
	s.on(patchIt, modified("configmaps", "settings"), answer{body: configMap("settings", "8", "written")})
	s.on(getSettings, answer{body: configMap("settings", "7", "read")})
	if _, _, err := s.Apply(ctx, object(t, settings), false); err != nil {
		t.Fatal(err)
	}
	if got := next(); got != "settings=written" {
		t.Errorf("after the write: %s", got)
	}
	if first := s.sent("PATCH ")[0].body; !strings.Contains(first, `"uid":"settings"`) {
		t.Errorf("what the watch knows is written on no condition: %s", first)
	}
	second := follow(t, s.Follow(ctx, sluice.Ref{APIVersion: "v1", Kind: "ConfigMap", Namespace: "shop",
		Name: "settings"}))
	if got := second(); got != "settings=written" {
		t.Errorf("who comes later: %s", got)
	}
	close(late)
	got := []string{next()}
	if got[0] == "other=new" {
		got = append(got, next())
	}
	if last := got[len(got)-1]; last != "other=gone!" {
		t.Errorf("the rest of the watch: %v", got)
	}
	if n := len(s.sent("WATCH ")); n != 1 {
		t.Errorf("%d connections for two who watch", n)
	}
}

func TestWatchEnds(t *testing.T) {
	s := serve(t)
	ctx := s.soon()
	s.on("GET "+configMaps, failure(403, "Forbidden",
		`configmaps is forbidden: User "ci" cannot list resource "configmaps" in API group "" in the namespace "shop"`, ""))
	if got := follow(t, s.Watch(ctx, "v1", "ConfigMap", "shop"))(); got != "end: denied" {
		t.Error(got)
	}
	s = serve(t)
	s.on("GET "+configMaps, list("5", configMap("settings", "4", "listed")))
	s.may("WATCH "+configMaps, answer{})
	next := follow(t, s.Watch(ctx, "v1", "ConfigMap", "shop"))
	next()
	_ = s.Close()
	if got := next(); got != "end: unavailable" {
		t.Errorf("the account is closed: %s", got)
	}
}

const (
	crashing = `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"shop","uid":"d",
		"resourceVersion":"1","generation":1},
		"spec":{"replicas":1,"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}}}},
		"status":{"observedGeneration":1,"replicas":1,"updatedReplicas":1}}`
	replicaSet = `{"apiVersion":"apps/v1","kind":"ReplicaSet","metadata":{"name":"web-1","namespace":"shop","uid":"rs",
		"ownerReferences":[{"kind":"Deployment","name":"web","uid":"d","controller":true}]},
		"spec":{"template":{"metadata":{"labels":{"app":"web","pod-template-hash":"1"}}}}}`
	crashedPod = `{"metadata":{"name":"web-1-x","namespace":"shop","uid":"p","resourceVersion":"2","labels":{"app":"web",
		"pod-template-hash":"1"},
		"ownerReferences":[{"kind":"ReplicaSet","name":"web-1","uid":"rs","controller":true}]},
			"spec":{"containers":[{"name":"web"}]},
		"status":{"containerStatuses":[{"name":"web","restartCount":4,"state":{"waiting":{"reason":"CrashLoopBackOff"}},
		"lastState":{"terminated":{"exitCode":1}}}]}}`
	stalled = "pod web-1-x waits: CrashLoopBackOff: it ended with status 1; restarted 4 times"
)

func stalledBecause(o sluice.Object) string {
	list, _ := o.Field("status", "conditions").([]any)
	for _, c := range list {
		if m := sluice.Object(c.(map[string]any)); m.Text("type") == "Stalled" {
			return m.Text("message")
		}
	}
	return ""
}

// A Deployment whose pods cannot start is Stalled, for one who reads it and for one who watches it.
func TestStalledDeployment(t *testing.T) {
	s := serve(t)
	ctx := s.soon()
	s.on("GET "+deployments+"web", answer{body: crashing})
	s.on("GET "+podsPath, list("2", crashedPod))
	s.on("GET "+replicaSets, list("1", replicaSet))
	ref := sluice.Ref{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "shop", Name: "web"}
	o, err := s.Get(ctx, ref)
	if err != nil || !strings.HasSuffix(stalledBecause(o), stalled) {
		t.Errorf("got %v, %v", o["status"], err)
	}
	s = serve(t)
	all := strings.TrimSuffix(deployments, "/")
	s.on("GET "+all, list("1", crashing))
	s.on("GET "+podsPath, list("2", crashedPod))
	s.on("GET "+replicaSets, list("1", replicaSet))
	s.may("WATCH "+all, answer{})
	s.may("WATCH "+podsPath, answer{})
	s.may("WATCH "+replicaSets, answer{})
	for o, err := range s.Follow(ctx, ref) {
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(stalledBecause(o), stalled) {
			break
		}
	}
}

// A pod belongs to the Deployment that controls its ReplicaSet, whatever the name of that, and also when it changes.
func TestPodsOfAnAdoptedReplicaSet(t *testing.T) {
	s := serve(t)
	all, adopted := strings.TrimSuffix(deployments, "/"), make(chan struct{})
	canary := strings.NewReplacer(`"name":"web"`, `"name":"web-canary"`, `"uid":"d"`, `"uid":"c"`).Replace
	set := strings.NewReplacer(`"uid":"rs"`, `"uid":"rs","resourceVersion":"1"`)
	s.on("GET "+all, list("1", crashing, canary(crashing)))
	s.on("GET "+podsPath, list("2", crashedPod))
	s.on("GET "+replicaSets, list("1", set.Replace(canary(replicaSet))))
	s.may("WATCH "+all, answer{})
	s.may("WATCH "+podsPath, answer{})
	s.may("WATCH "+replicaSets, answer{when: adopted, body: frame("MODIFIED", strings.NewReplacer(`"uid":"rs"`,
		`"uid":"rs","resourceVersion":"2"`).Replace(replicaSet))})
	is := map[string]bool{}
	for o, err := range s.Watch(s.soon(), "apps/v1", "Deployment", "shop") {
		if err != nil {
			t.Fatal(err)
		}
		is[o.Text("metadata", "name")] = stalledBecause(o) != ""
		if is["web-canary"] && adopted != nil {
			if is["web"] {
				t.Fatal("the Deployment whose name the ReplicaSet has is stalled, not its owner")
			}
			close(adopted)
			adopted = nil
		}
		if adopted == nil && is["web"] && !is["web-canary"] {
			break
		}
	}
}

// A restart is a change of the workload, although its own status stays the same: the pod was ready all the time.
func TestRestartIsAChangeOfTheWorkload(t *testing.T) {
	s := serve(t)
	ready := strings.NewReplacer(`"updatedReplicas":1`, `"updatedReplicas":1,"readyReplicas":1,"availableReplicas":1`).
		Replace(crashing)
	pod := func(version, restarts string) string {
		return `{"metadata":{"name":"web-1-x","namespace":"shop","uid":"p","resourceVersion":"` + version + `",
			"labels":{"pod-template-hash":"1"},
			"ownerReferences":[{"kind":"ReplicaSet","name":"web-1","uid":"rs","controller":true}]},
			"status":{` + readyState + `,"containerStatuses":[{"name":"web","restartCount":` + restarts + `}]}}`
	}
	all, seen := strings.TrimSuffix(deployments, "/"), make(chan struct{})
	s.on("GET "+all, list("1", ready))
	s.on("GET "+podsPath, list("2", pod("2", "0")))
	s.on("GET "+replicaSets, list("1", replicaSet))
	s.may("WATCH "+replicaSets, answer{})
	s.may("WATCH "+all, answer{})
	s.may("WATCH "+podsPath, answer{when: seen, body: frame("MODIFIED", pod("3", "0")) + frame("MODIFIED", pod("4", "1"))})
	ref := sluice.Ref{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "shop", Name: "web"}
	next := follow(t, s.Follow(s.soon(), ref))
	for _, what := range []string{"at first", "after the restart"} {
		if got := next(); got != "web=" {
			t.Errorf("%s: %s", what, got)
		}
		if what == "at first" {
			close(seen)
		}
	}
	s.has("/apis/apps/v1/namespaces/shop/replicasets")
	for {
		pods, err := s.Pods(s.soon(), "shop")
		if err != nil || len(pods) != 1 {
			t.Fatalf("the pods are %v, %v", pods, err)
		}
		if pods[0].Restarts == 1 {
			break
		}
		next()
	}
	if n := len(s.sent("WATCH " + podsPath)); n > 1 {
		t.Errorf("%d watches of the pods", n)
	}
}

// Rights to see the pods may be missing: the Deployment is read and watched all the same.
func TestDeploymentWithoutRightsToItsPods(t *testing.T) {
	s := serve(t)
	ctx := s.soon()
	denied := failure(403, "Forbidden",
		`pods is forbidden: User "ci" cannot list resource "pods" in API group "" in the namespace "shop"`, "")
	all := strings.TrimSuffix(deployments, "/")
	s.on("GET "+deployments+"web", answer{body: crashing})
	s.on("GET "+replicaSets, denied)
	s.may("GET "+replicaSets, denied)
	s.may("GET "+podsPath, denied)
	s.on("GET "+all, list("1", crashing))
	s.may("WATCH "+all, answer{})
	ref := sluice.Ref{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "shop", Name: "web"}
	if o, err := s.Get(ctx, ref); err != nil || o.Text("metadata", "name") != "web" {
		t.Errorf("%v, %v", o, err)
	}
	if got := follow(t, s.Follow(ctx, ref))(); got != "web=" {
		t.Error(got)
	}
}

// A refused pod of a StatefulSet is known from an event alone.
func TestStatefulSetWhosePodsAreRefused(t *testing.T) {
	s := serve(t)
	long := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	s.on("GET /apis/apps/v1/namespaces/shop/statefulsets/db", answer{body: `{"apiVersion":"apps/v1","kind":"StatefulSet",
		"metadata":{"name":"db","namespace":"shop","uid":"s","generation":1},
		"spec":{"replicas":2,"selector":{"matchLabels":{"app":"db"}}},"status":{"observedGeneration":1,"replicas":1,
			"readyReplicas":1}}`})
	s.on("GET "+podsPath, list("1"))
	s.on("GET /api/v1/namespaces/shop/events", list("1", `{"involvedObject":{"kind":"StatefulSet","uid":"s"},
		"message":"pods \"db-1\" is forbidden: exceeded quota",
		"firstTimestamp":"`+long+`","lastTimestamp":"`+long+`"}`))
	o, err := s.Get(t.Context(), sluice.Ref{APIVersion: "apps/v1", Kind: "StatefulSet", Namespace: "shop", Name: "db"})
	if got := stalledBecause(o); err != nil || !strings.HasSuffix(got,
		`pods cannot be created: pods "db-1" is forbidden: exceeded quota`) {
		t.Errorf("%q, %v", got, err)
	}
	if q := s.sent("GET /api/v1/namespaces/shop/events")[0].query; !strings.Contains(q, "involvedObject.uid%3Ds") {
		t.Errorf("events are asked for with %s", q)
	}
}

func TestListBeginsAnewWhereItsPagesAreTooOld(t *testing.T) {
	s := serve(t)
	first := list("5", configMap("a", "1", ""))
	first.body = strings.Replace(first.body, `"resourceVersion":"5"`, `"resourceVersion":"5","continue":"more"`, 1)
	s.on("GET "+configMaps, first,
		failure(410, "Expired", "The provided continue parameter is too old to display a consistent list result.", ""),
		list("6", configMap("b", "2", ""), configMap("a", "1", "")))
	all, err := s.List(t.Context(), "v1", "ConfigMap", "shop")
	var names []string
	for _, o := range all {
		names = append(names, o.Text("metadata", "name"))
	}
	if d := cmp.Diff([]string{"a", "b"}, names); d != "" || err != nil {
		t.Errorf("%v: -want +got\n%s", err, d)
	}
	if q := s.sent("GET " + configMaps)[2].query; strings.Contains(q, "continue") || strings.Contains(q, "limit") {
		t.Errorf("at last it is asked for with %s", q)
	}
	if all, err := s.List(t.Context(), "example.com/v1alpha1", "Wide", ""); len(all) > 0 || err != nil {
		t.Errorf("of an unknown kind: %v, %v", all, err)
	}
}
