package kubernetes_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
)

// deploymentAt is one that is ready.
func deploymentAt(version string) string {
	return `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"shop","uid":"d",
		"resourceVersion":"` + version + `","managedFields":[{"manager":"m` + version + `"}]},
		"spec":{"replicas":0},"status":{}}`
}

// what is read of the Deployment: its version and the manager of its fields.
func (s *server) readsDeployment(want string) {
	s.Helper()
	o, err := s.Get(s.soon(), sluice.Ref{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "shop", Name: "web"})
	version, fields := o.Text("metadata", "resourceVersion"), o.List("metadata", "managedFields")
	if err != nil || version != want || len(fields) != 1 || fields[0]["manager"] != "m"+want {
		s.Errorf("got %v, %v; want version %s", o, err, want)
	}
	o.Set("changed", "metadata", "name") // it belongs to the caller
}

// What is watched is read without a request, as long as the watch follows: not after it broke, but again after a list.
func TestReadsShareAWatch(t *testing.T) {
	s := serve(t)
	all := strings.TrimSuffix(deployments, "/")
	begins, breaks := make(chan struct{}), make(chan struct{})
	again, follows := make(chan struct{}), make(chan struct{})
	s.on("GET "+all, list("1", deploymentAt("1")))
	s.on("WATCH "+all, answer{then: func() { close(begins) }, when: breaks, ends: true})
	listed := list("5", deploymentAt("3"))
	listed.then, listed.when = func() { close(again) }, follows
	s.on("GET "+all, listed)
	s.on("WATCH "+all, answer{body: frame("MODIFIED", deploymentAt("6"))})
	s.has(podsPath)
	s.has("/apis/apps/v1/namespaces/shop/replicasets")
	changes := make(chan string, 10)
	go func() {
		for o, err := range s.Watch(s.soon(), "apps/v1", "Deployment", "shop") {
			if err != nil {
				return
			}
			changes <- o.Text("metadata", "resourceVersion")
		}
	}()
	<-changes
	<-begins
	s.readsDeployment("1")
	if known, err := s.List(s.soon(), "apps/v1", "Deployment", "shop"); len(known) != 1 || err != nil {
		t.Errorf("the list is %v, %v", known, err)
	}
	close(breaks)
	<-again
	s.on("GET "+deployments+"web", answer{body: deploymentAt("2")})
	s.readsDeployment("2")
	close(follows)
	for version := range changes {
		if version == "6" {
			break
		}
	}
	s.readsDeployment("6")
}

// A Deployment of kubectl apply that somebody has scaled to 0 gets the number of the file, also if it is watched: its
// adoption, which comes first, changes its version.
func TestFirstApplyOfAWatchedDeployment(t *testing.T) {
	s := serve(t)
	all := strings.TrimSuffix(deployments, "/")
	scaled := func(version, manager, operation string) string {
		return `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"shop","uid":"d",
			"resourceVersion":"` + version + `","managedFields":[{"manager":"` + manager + `","operation":"` + operation + `",
			"apiVersion":"apps/v1","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{"f:paused":{}}}}]},
			"spec":{"replicas":0,"paused":true},"status":{}}`
	}
	s.has(podsPath)
	s.has("/apis/apps/v1/namespaces/shop/replicasets")
	began := make(chan struct{})
	s.on("GET "+all, list("1", scaled("1", "kubectl-client-side-apply", "Update")))
	s.on("WATCH "+all, answer{then: func() { close(began) }})
	go func() {
		for range s.Watch(s.soon(), "apps/v1", "Deployment", "shop") {
		}
	}()
	<-began
	s.on("GET "+deployments+"web", answer{body: scaled("1", "kubectl-client-side-apply", "Update")})
	s.on("PATCH "+deployments+"web", answer{body: scaled("2", "sluice", "Apply")},
		answer{body: strings.Replace(scaled("3", "sluice", "Apply"), `"replicas":0`, `"replicas":1`, 1)})
	declared := object(t, `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"shop"},
		"spec":{"replicas":1,"paused":true}}`)
	if _, outcome, err := s.Apply(s.soon(), declared, false); err != nil || outcome != sluice.Configured {
		t.Fatalf("it is %s, %v", outcome, err)
	}
	patches := s.sent("PATCH ")
	if last := object(t, patches[len(patches)-1].body); last.Number(0, "spec", "replicas") != 1 {
		t.Errorf("applied is %v", last)
	}
}

// A kind that a rollout reads again and again is watched from the third read on, if there is a right to.
func TestReadsBeginAWatch(t *testing.T) {
	const all = "/api/v1/namespaces/shop/services"
	ref := sluice.Ref{APIVersion: "v1", Kind: "Service", Namespace: "shop", Name: "web"}
	for _, allowed := range []bool{true, false} {
		s := serve(t)
		began, reads := make(chan struct{}), 3
		if allowed {
			listed := list("7", strings.Replace(plainWeb, `"name":"web"`, `"name":"web","uid":"s"`, 1))
			listed.when = began // who reads meanwhile waits for it
			s.on("GET "+all, listed)
			s.may("WATCH "+all, answer{})
		} else {
			refusal := failure(403, "Forbidden", `services is forbidden: User "ci" cannot list resource "services"`, "")
			refusal.then = func() { close(began) }
			s.on("GET "+all, refusal)
			reads = 6
		}
		for range reads {
			s.on("GET "+all+"/web", answer{body: plainWeb})
		}
		for i := range 6 {
			switch {
			case i == 3 && allowed:
				time.AfterFunc(10*time.Millisecond, func() { close(began) })
			case i == 3:
				<-began
			}
			if o, err := s.Get(s.soon(), ref); err != nil || o.Text("spec", "selector", "app") != "web" {
				t.Errorf("allowed: %t: %v, %v", allowed, o, err)
			}
		}
	}
}

// After an eviction the pods are listed anew, since the watch may still tell of the one that is gone.
func TestPodsAfterAnEviction(t *testing.T) {
	s := serve(t)
	s.has(podsPath, web0("u", "1", readyState))
	for range 3 {
		if pods, err := s.Pods(s.soon(), "shop"); len(pods) != 1 || err != nil {
			t.Fatalf("%v, %v", pods, err)
		}
	}
	s.on("GET "+webPath, answer{body: web0("u", "1", readyState)})
	s.on("POST "+webPath+"/eviction", notFound("pods", "web-0"))
	s.on("GET "+podsPath, list("2"))
	if err := s.Evict(s.soon(), "shop", "web-0"); err != nil {
		t.Fatal(err)
	}
	s.has(podsPath)
	if pods, err := s.Pods(s.soon(), "shop"); len(pods) != 0 || err != nil {
		t.Errorf("%v, %v", pods, err)
	}
}

// readsAbsent reads a canary that does not exist.
func (s *server) readsAbsent() {
	s.Helper()
	ref := sluice.Ref{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "shop", Name: "web-canary"}
	_, err := s.Get(s.soon(), ref)
	wantError(s.T, err, sluice.NotFound, "Deployment/web-canary")
}

// What is missing from a watch is asked for only if the watch is older than what was written or read of the kind.
func TestAbsenceIsAsNewAsWhatIsKnown(t *testing.T) {
	s := serve(t)
	all := strings.TrimSuffix(deployments, "/")
	begins, follows := make(chan struct{}), make(chan struct{})
	s.on("GET "+all, list("1", deploymentAt("1")))
	s.on("WATCH "+all, answer{then: func() { close(begins) }, when: follows, body: frame("MODIFIED", deploymentAt("4"))})
	s.has(podsPath)
	s.has("/apis/apps/v1/namespaces/shop/replicasets")
	next := follow(t, s.Watch(s.soon(), "apps/v1", "Deployment", "shop"))
	next()
	<-begins
	s.readsAbsent()
	s.on("PATCH "+deployments+"web", answer{body: deploymentAt("4")})
	if _, _, err := s.Apply(s.soon(), object(t, `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web",
		"namespace":"shop"},"spec":{"replicas":0}}`), false); err != nil {
		t.Fatal(err)
	}
	s.on("GET "+canaryPath, notFound("deployments", "web-canary"))
	s.readsAbsent()                                                 // somebody may have created it before version 4
	s.may("GET "+canaryPath, notFound("deployments", "web-canary")) // the watch may be slow
	close(follows)
	for range 5 {
		s.readsAbsent()
	}
}

// watched lets the account watch Deployments, ReplicaSets and pods, and returns when it follows them.
func (s *server) watched(deployment, sets, pods string) {
	s.Helper()
	all := strings.TrimSuffix(deployments, "/")
	follows := make(chan struct{}, 3)
	for path, listed := range map[string]answer{all: list("1", deployment), replicaSets: list("1", sets),
		podsPath: list("1", pods)} {
		s.on("GET "+path, listed)
		s.on("WATCH "+path, answer{then: func() { follows <- struct{}{} }})
	}
	follow(s.T, s.Watch(s.soon(), "apps/v1", "Deployment", "shop"))()
	for range 3 {
		<-follows
	}
}

// The pods of a Deployment are those that the watches show, if its status counts the same; else they are listed.
func TestPodsThatADeploymentCounts(t *testing.T) {
	pod := `{"metadata":{"name":"web-1-x","namespace":"shop","uid":"p","resourceVersion":"1",
		"ownerReferences":[{"kind":"ReplicaSet","name":"web-1","uid":"rs","controller":true}]},"status":{` + readyState + `}}`
	ref := sluice.Ref{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "shop", Name: "web"}
	for counted, lists := range map[string]int{"1": 2, "2": 4} {
		s := serve(t)
		deployment := strings.NewReplacer(`"resourceVersion":"1"`, `"resourceVersion":"9"`,
			`"replicas":1,"updatedReplicas":1`, `"replicas":`+counted+`,"readyReplicas":`+counted).Replace(crashing)
		s.watched(deployment, replicaSet, pod)
		s.may("GET "+podsPath, list("9", pod))
		s.may("GET "+replicaSets, list("9", replicaSet))
		pods, err := s.Pods(s.soon(), "shop", ref)
		if err != nil || len(pods) != 1 || pods[0].Owner != "Deployment/web" || !pods[0].Ready {
			t.Errorf("%v, %v", pods, err)
		}
		if n := len(s.sent("GET "+podsPath)) + len(s.sent("GET "+replicaSets)); n != lists {
			t.Errorf("its status counts %s: %d lists, want %d", counted, n, lists)
		}
	}
}

// Beside two writes a canary costs nothing where the shared watches know that it is new.
func TestBesideInAWatchedNamespace(t *testing.T) {
	s := serve(t)
	s.watched(crashing, replicaSet, crashedPod)
	s.on("PATCH "+canaryPath, storedCanary(""))
	s.on("POST "+replicaSets, controlledBy("web-canary", "c"))
	before := len(s.sent(""))
	_, outcome, err := s.Beside(s.soon(), object(t, declaredCanary), "web-7c9d5f")
	if outcome != sluice.Created || err != nil {
		t.Errorf("%s, %v", outcome, err)
	}
	if n := len(s.sent("")) - before; n != 2 {
		t.Errorf("%d requests", n)
	}
}

// The same dry run of the same version is asked once, and again when somebody has written the object.
func TestDryRunIsAskedOnce(t *testing.T) {
	s := serve(t)
	for _, version := range []string{"1", "1", "2"} {
		s.on(getSettings, liveSettings(version, "1", "sluice", "Apply"))
	}
	for _, value := range []string{"2", "3"} {
		s.on(patchIt, liveSettings("9", value, "sluice", "Apply"))
	}
	var got []string
	for range 3 {
		o, outcome, err := s.Apply(t.Context(), object(t, settings), true)
		if err != nil || outcome != sluice.Configured {
			t.Fatalf("%s, %v", outcome, err)
		}
		got = append(got, o.Text("data", "a"))
	}
	if want := []string{"2", "2", "3"}; !slices.Equal(got, want) {
		t.Errorf("the answers are %v, want %v", got, want)
	}
}

// Only a write that follows from what the watch knew depends on the version: here somebody has scaled the Deployment.
func TestWriteOfAWatchedDeployment(t *testing.T) {
	for scaled, want := range map[bool]string{false: "", true: "1"} {
		fields, subresource := `{"f:spec":{"f:paused":{}}}`, ""
		if scaled {
			fields, subresource = `{"f:spec":{"f:replicas":{}}}`, `"subresource":"scale",`
		}
		s := serve(t)
		s.watched(`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"shop","uid":"d",
			"resourceVersion":"1","managedFields":[{"manager":"kubectl","operation":"Update",`+subresource+
			`"apiVersion":"apps/v1","fieldsType":"FieldsV1","fieldsV1":`+fields+`}]},"spec":{"replicas":2},"status":{}}`,
			replicaSet, crashedPod)
		s.on("PATCH "+deployments+"web", answer{body: deploymentAt("2")})
		declared := object(t, `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"shop"},
			"spec":{"replicas":1,"minReadySeconds":3}}`)
		if _, _, err := s.Apply(s.soon(), declared, false); err != nil {
			t.Fatal(err)
		}
		sent := object(t, s.sent("PATCH ")[0].body)
		if got := sent.Text("metadata", "resourceVersion"); got != want || sent.Text("metadata", "uid") != "d" {
			t.Errorf("scaled %t: it is written to version %q, want %q", scaled, got, want)
		}
	}
}
