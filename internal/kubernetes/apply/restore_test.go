package apply

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
)

func decoded(t *testing.T, text string) sluice.Object {
	t.Helper()
	var o sluice.Object
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// What Sluice had applied is told from what others and the cluster itself had set.
func TestApplied(t *testing.T) {
	was := decoded(t, `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"shop",
		"labels":{"app":"web","theirs":"x"},
		"annotations":{"deployment.kubernetes.io/revision":"3"},"managedFields":[
		{"manager":"sluice","operation":"Apply","apiVersion":"apps/v1","fieldsV1":{"f:metadata":{"f:labels":{"f:app":{}}},
		 "f:spec":{"f:selector":{},"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"web\"}":{".":{},"f:name":{},
			"f:image":{},
		 "f:env":{"k:{\"name\":\"A\"}":{".":{},"f:name":{},"f:value":{}}},
		 "f:ports":{"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{}}}}}}}}}},
		{"manager":"kubectl","operation":"Update","apiVersion":"apps/v1","subresource":"scale",
			"fieldsV1":{"f:spec":{"f:replicas":{}}}}]},
		"status":{}}`)
	was["spec"] = map[string]any(decoded(t, `{"replicas":5,"selector":{"matchLabels":{"app":"web"}},
		"template":{"spec":{"dnsPolicy":"ClusterFirst","containers":[
		{"name":"side","image":"theirs:1"},
		{"name":"web","image":"web:1","terminationMessagePath":"/dev/x","env":[{"name":"A","value":"1"},{"name":"B",
			"value":"theirs"}],"ports":[{"containerPort":80,"protocol":"TCP"}]}]}}}`))
	want := decoded(t, `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"shop",
		"labels":{"app":"web"}},
		"spec":{"selector":{"matchLabels":{"app":"web"}},"template":{"spec":{"containers":[
		{"name":"web","image":"web:1","env":[{"name":"A","value":"1"}],"ports":[{"containerPort":80,"protocol":"TCP"}]}]}}}}`)
	if diff := cmp.Diff(want, onlyFields(was, (&Writer{}).restorableSet(was))); diff != "" {
		t.Errorf("applied (-want +got):\n%s", diff)
	}
}

// A count that Sluice had set for a while is its own, and one that it had set in somebody's stead is not.
func TestAppliedCount(t *testing.T) {
	for manager, want := range map[string]int{scaleOwn: 3, scaleOthers: -1} {
		was := decoded(t, `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","managedFields":[
			{"manager":"sluice","operation":"Apply","apiVersion":"apps/v1","fieldsV1":{"f:spec":{"f:paused":{}}}},
			{"manager":"`+manager+`","operation":"Update","apiVersion":"apps/v1","fieldsV1":{"f:spec":{"f:replicas":{}}}}]},
			"spec":{"replicas":3,"paused":true}}`)
		if got := onlyFields(was, (&Writer{}).restorableSet(was)).Number(-1, "spec", "replicas"); got != want {
			t.Errorf("of %s: %d replicas, want %d", manager, got, want)
		}
	}
}

// An object of which Sluice had applied nothing gets nothing from it.
func TestAppliedNothing(t *testing.T) {
	was := decoded(t, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","managedFields":[{"manager":"helm",
		"operation":"Update","apiVersion":"v1","fieldsV1":{"f:data":{}}}]},"data":{"k":"v"}}`)
	want := decoded(t, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}`)
	if diff := cmp.Diff(want, onlyFields(was, (&Writer{}).restorableSet(was))); diff != "" {
		t.Errorf("applied (-want +got):\n%s", diff)
	}
}

// What somebody else has set since is told from what he owned before, and from what Sluice itself set.
func TestTakenOver(t *testing.T) {
	was := decoded(t, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","managedFields":[
		{"manager":"sluice","operation":"Apply","apiVersion":"v1","fieldsV1":{"f:data":{"f:taken":{},"f:shared":{},
			"f:ours":{}}}}]},
		"data":{"taken":"1","shared":"1","ours":"1","theirs":"1"}}`)
	live := decoded(t, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","managedFields":[
		{"manager":"sluice","operation":"Apply","apiVersion":"v1","fieldsV1":{"f:data":{"f:shared":{},"f:ours":{}}}},
		{"manager":"helm","operation":"Update","apiVersion":"v1","fieldsV1":{"f:data":{"f:taken":{},"f:shared":{},
			"f:theirs":{}}}}]},
		"data":{"taken":"2","shared":"1","ours":"2","theirs":"2"}}`)
	set := (&Writer{}).restorableSet(was)
	taken, list := (&Writer{}).takenOver(set, was, live)
	if diff := cmp.Diff([]client.FieldConflict{{Field: ".data.taken", Manager: "helm"}}, list); diff != "" {
		t.Errorf("taken over (-want +got):\n%s", diff)
	}
	want := decoded(t, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"shared":"1","ours":"1"}}`)
	if diff := cmp.Diff(want, onlyFields(was, set.Difference(taken))); diff != "" {
		t.Errorf("the rest (-want +got):\n%s", diff)
	}
}

// What had a value but no owner is told from what others owned, what others own now, and what was not there.
func TestUnowned(t *testing.T) {
	was := decoded(t, `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a","managedFields":[
		{"manager":"helm","operation":"Apply","apiVersion":"v1","fieldsV1":{"f:stringData":{"f:password":{}},
			"f:data":{"f:helms":{}}}}]},
		"data":{"password":"1","helms":"1","taken":"1","theirs":"1"}}`)
	live := decoded(t, `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a","managedFields":[
		{"manager":"sluice","operation":"Apply","apiVersion":"v1","fieldsV1":{"f:data":{"f:password":{},"f:helms":{},
			"f:taken":{},"f:new":{}}}},
		{"manager":"kubectl","operation":"Update","apiVersion":"v1","fieldsV1":{"f:data":{"f:taken":{}}}}]},
		"data":{"password":"2","helms":"2","taken":"2","theirs":"1","new":"2"}}`)
	want := fieldpath.NewSet(fieldpath.MakePathOrDie("data", "password"))
	if got := (&Writer{}).unowned(was, live); !got.Equals(want) {
		t.Errorf("unowned are %s, want %s", got, want)
	}
}
