package kubernetes_test

import (
	"strings"
	"testing"

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
			s.on("GET "+all, list("7", strings.Replace(plainWeb, `"name":"web"`, `"name":"web","uid":"s"`, 1)))
			s.on("WATCH "+all, answer{then: func() { close(began) }})
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
			if i == 3 {
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
