package kubernetes_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
)

const (
	canaryPath = deployments + "web-canary"
	setPath    = replicaSets + "/web-7c9d5f"
	// declaredCanary is a canary as a step gives it.
	declaredCanary = `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web-canary","namespace":"shop"},
		"spec":{"replicas":2,"selector":{"matchLabels":{"app":"web","sluice-cd.github.io/release":"7c9d5f"}},
		"template":{"metadata":{"labels":{"app":"web","sluice-cd.github.io/release":"7c9d5f"}}}}}`
)

// storedCanary is the canary with more metadata, and with what a webhook has added to its template.
func storedCanary(more string) answer {
	return answer{body: `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web-canary","namespace":"shop",
		"uid":"c","resourceVersion":"1","generation":1` + more + `},"spec":{"replicas":2,"paused":true,"minReadySeconds":3,
		"selector":{"matchLabels":{"app":"web","sluice-cd.github.io/release":"7c9d5f"}},
		"template":{"metadata":{"labels":{"app":"web","sluice-cd.github.io/release":"7c9d5f"},
		"annotations":{"inject":"yes"}}}}}`}
}

// ownedSet is the ReplicaSet with the references to its owners.
func ownedSet(owners string) answer {
	return answer{body: `{"apiVersion":"apps/v1","kind":"ReplicaSet","metadata":{"name":"web-7c9d5f","namespace":"shop",
		"uid":"rs","resourceVersion":"1","ownerReferences":[` + owners + `]}}`}
}

func controlledBy(name, uid string) answer {
	return ownedSet(`{"kind":"Deployment","name":"` + name + `","uid":"` + uid + `","controller":true}`)
}

// What Beside sends after each answer of an API server, and what it returns.
func TestBeside(t *testing.T) {
	// applied is a canary that has everything that a step gives it.
	applied := storedCanary(`,"managedFields":[{"manager":"sluice","operation":"Apply","apiVersion":"apps/v1",
		"fieldsType":"FieldsV1","fieldsV1":{"f:spec":{"f:paused":{},"f:replicas":{},"f:selector":{},
		"f:template":{"f:metadata":{"f:labels":{"f:app":{},"f:sluice-cd.github.io/release":{}}}}}}}]`)
	noSet, noCanary := notFound("replicasets", "web-7c9d5f"), notFound("deployments", "web-canary")
	exists := failure(409, "AlreadyExists", `replicasets.apps "web-7c9d5f" already exists`,
		`"name":"web-7c9d5f","kind":"replicasets"`)
	for name, test := range map[string]struct {
		set, canary, patch, create []answer
		outcome                    sluice.Outcome
		code                       sluice.Code
		text                       string
	}{
		"new": {set: []answer{noSet}, canary: []answer{noCanary}, patch: []answer{storedCanary("")},
			create: []answer{controlledBy("web-canary", "c")}, outcome: sluice.Created},
		"interrupted before the second write": {set: []answer{noSet}, canary: []answer{applied},
			create: []answer{controlledBy("web-canary", "c")}, outcome: sluice.Configured},
		"again": {set: []answer{controlledBy("web-canary", "c")}, canary: []answer{applied}, outcome: sluice.Unchanged},
		"another process was faster": {set: []answer{noSet, controlledBy("web-canary", "c")}, canary: []answer{applied},
			create: []answer{exists}, outcome: sluice.Configured},
		"somebody else was faster": {set: []answer{noSet, controlledBy("shop", "s")}, canary: []answer{applied},
			create: []answer{exists}, code: sluice.Conflict,
			text: "ReplicaSet/web-7c9d5f exists and belongs to Deployment/shop, not to Deployment/web-canary"},
		"the name is taken": {set: []answer{controlledBy("shop", "s")}, code: sluice.Conflict, text: "Deployment/shop"},
		"the name is taken by what belongs to nothing": {set: []answer{ownedSet("")}, code: sluice.Conflict,
			text: "belongs to nothing"},
		"an earlier canary's is about to go": {
			set: []answer{controlledBy("web-canary", "b"), controlledBy("web-canary", "b")}, canary: []answer{applied},
			create: []answer{exists}, code: sluice.Unavailable, text: "ReplicaSet/web-7c9d5f is being deleted"},
		"the canary is about to go": {set: []answer{controlledBy("web-canary", "c")}, canary: []answer{applied},
			patch: nil, code: sluice.Unavailable, text: "Deployment/web-canary is being deleted"},
		"ReplicaSets may not be made": {set: []answer{noSet}, canary: []answer{noCanary, storedCanary("")},
			patch: []answer{storedCanary(""), storedCanary("")}, outcome: sluice.Created,
			create: []answer{failure(403, "Forbidden", `replicasets.apps is forbidden: User "ci" cannot create resource `+
				`"replicasets" in API group "apps" in the namespace "shop"`, "")}},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t)
			if test.code == sluice.Unavailable && len(test.create) == 0 {
				test.canary[0].body = strings.Replace(test.canary[0].body, `"uid":"c"`,
					`"uid":"c","deletionTimestamp":"2026-01-01T00:00:00Z"`, 1)
			}
			s.on("GET "+setPath, test.set...)
			s.on("GET "+canaryPath, test.canary...)
			s.on("PATCH "+canaryPath, test.patch...)
			s.on("POST "+replicaSets, test.create...)
			_, outcome, err := s.Beside(s.soon(), object(t, declaredCanary), "web-7c9d5f")
			if outcome != test.outcome {
				t.Errorf("it is %s, want %s", outcome, test.outcome)
			}
			wantError(t, err, test.code, test.text)
			for i, r := range s.sent("PATCH ") { // a second one lets the cluster make the ReplicaSet
				if paused := object(t, r.body).Field("spec", "paused") == true; paused != (i == 0) {
					t.Errorf("the canary is applied as %s", r.body)
				}
			}
		})
	}
}

// A canary that its controller has numbered keeps that number.
func TestBesideLeavesTheNumberOfTheController(t *testing.T) {
	s := serve(t)
	s.on("GET "+setPath, notFound("replicasets", "web-7c9d5f"))
	s.on("GET "+canaryPath, notFound("deployments", "web-canary"), storedCanary(""))
	s.on("PATCH "+canaryPath, failure(409, "Conflict", "Apply failed with 1 conflict",
		`"causes":[{"reason":"FieldManagerConflict","message":"conflict with \"kube-controller-manager\"",
		"field":".metadata.annotations.deployment.kubernetes.io/revision"}]`), storedCanary(""))
	s.on("POST "+replicaSets, controlledBy("web-canary", "c"))
	canary := object(t, declaredCanary)
	canary.Set("8", "metadata", "annotations", "deployment.kubernetes.io/revision")
	if _, _, err := s.Beside(s.soon(), canary, "web-7c9d5f"); err != nil {
		t.Fatal(err)
	}
	for i, r := range s.sent("PATCH ") {
		number := object(t, r.body).Text("metadata", "annotations", "deployment.kubernetes.io/revision")
		if want := []string{"8", ""}[i]; number != want {
			t.Errorf("request %d has the number %q", i, number)
		}
	}
}

// The ReplicaSet is the one that the controller of the Deployment would make from what the server has stored.
func TestReplicaSetOfACanary(t *testing.T) {
	s := serve(t)
	s.on("GET "+setPath, notFound("replicasets", "web-7c9d5f"))
	s.on("GET "+canaryPath, notFound("deployments", "web-canary"))
	s.on("PATCH "+canaryPath, storedCanary(`,"annotations":{"a":"b","deployment.kubernetes.io/revision":"7",
		"kubectl.kubernetes.io/last-applied-configuration":"{}"}`))
	s.on("POST "+replicaSets, controlledBy("web-canary", "c"))
	if _, _, err := s.Beside(s.soon(), object(t, declaredCanary), "web-7c9d5f"); err != nil {
		t.Fatal(err)
	}
	const labels = `{"app":"web","sluice-cd.github.io/release":"7c9d5f","pod-template-hash":"7c9d5f"}`
	const selector = `{"app":"web","pod-template-hash":"7c9d5f"}` // for good: the release label of its pods may change
	want := object(t, `{"apiVersion":"apps/v1","kind":"ReplicaSet","metadata":{"name":"web-7c9d5f","namespace":"shop",
		"labels":`+labels+`,"ownerReferences":[{"apiVersion":"apps/v1","kind":"Deployment","name":"web-canary","uid":"c",
		"controller":true,"blockOwnerDeletion":true}],"annotations":{"a":"b","deployment.kubernetes.io/revision":"7",
		"deployment.kubernetes.io/desired-replicas":"2"}},
		"spec":{"replicas":2,"minReadySeconds":3,"selector":{"matchLabels":`+selector+`},
		"template":{"metadata":{"labels":`+labels+`,"annotations":{"inject":"yes"}}}}}`)
	if d := cmp.Diff(want, object(t, s.sent("POST ")[0].body)); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

func TestOrphan(t *testing.T) {
	gone, ending := notFound("deployments", "web-canary"), storedCanary(`,"deletionTimestamp":"2026-01-01T00:00:00Z"`)
	done := answer{body: `{"kind":"Status","apiVersion":"v1","status":"Success"}`}
	replaced := failure(409, "Conflict", "Precondition failed: UID in precondition: c, UID in object meta: d",
		`"name":"web-canary","kind":"deployments"`)
	ref := sluice.Ref{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "shop", Name: "web-canary"}
	for name, test := range map[string]struct {
		canary, delete []answer
		code           sluice.Code
	}{
		"accepted":       {canary: []answer{storedCanary("")}, delete: []answer{ending}},
		"gone at once":   {canary: []answer{storedCanary("")}, delete: []answer{done}},
		"not there":      {canary: []answer{gone}},
		"ends already":   {canary: []answer{ending}},
		"gone meanwhile": {canary: []answer{storedCanary("")}, delete: []answer{gone}},
		"replaced":       {canary: []answer{storedCanary("")}, delete: []answer{replaced}},
		"the server is away": {canary: []answer{storedCanary("")}, delete: []answer{failure(503, "ServiceUnavailable",
			"the server is away", "")}, code: sluice.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t)
			s.on("GET "+canaryPath, test.canary...)
			s.on("DELETE "+canaryPath, test.delete...)
			wantError(t, s.Orphan(s.soon(), ref), test.code, "orphan the pods of Deployment/web-canary")
			for _, r := range s.sent("DELETE ") {
				var options struct {
					PropagationPolicy string
					Preconditions     struct{ UID string }
				}
				err := json.Unmarshal([]byte(r.body), &options)
				if err != nil || options.PropagationPolicy != "Orphan" || options.Preconditions.UID != "c" {
					t.Errorf("deleted with %s, %v", r.body, err)
				}
			}
		})
	}
}
