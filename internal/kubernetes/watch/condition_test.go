package watch

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	kjson "sigs.k8s.io/json"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/pod"
	"github.com/sluice-cd/sluice/internal/manifest"
)

var noon = time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) string { return noon.Add(-d).Format(time.RFC3339) }

// aPod is a pod of ReplicaSet web-1 whose status is given.
func aPod(t *testing.T, status string) pod.Pod {
	t.Helper()
	var p pod.Pod
	text := `{"metadata":{"name":"web-1-x","namespace":"shop","uid":"p","labels":{"pod-template-hash":"1"},
		"ownerReferences":[{"kind":"ReplicaSet","name":"web-1","uid":"rs","controller":true}]},
			"spec":{"containers":[{"name":"web"}]},"status":` + status + `}`
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	return p
}

func scheduled(at string) string {
	return `"conditions":[{"type":"PodScheduled","status":"True","lastTransitionTime":"` + at + `"}]`
}

func waitsFor(reason, message, at string) string {
	return `{"phase":"Pending",` + scheduled(at) + `,"containerStatuses":[{"name":"web","state":{"waiting":{"reason":"` +
		reason + `","message":"` + message + `"}}}]}`
}

func TestIsPermanent(t *testing.T) {
	crashed := func(restarts string) string {
		return `{"phase":"Running",` + scheduled(ago(time.Hour)) + `,"containerStatuses":[{"name":"web","restartCount":` +
			restarts +
			`,"state":{"waiting":{"reason":"CrashLoopBackOff","message":"back-off 40s"}},
				"lastState":{"terminated":{"exitCode":1,"reason":"Error"}}}]}`
	}
	for name, test := range map[string]struct {
		status  string
		stalled bool
		again   time.Duration
		text    string
	}{
		"ready":  {`{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}`, false, 0, ""},
		"begins": {waitsFor("ContainerCreating", "", ago(time.Hour)), false, 0, "ContainerCreating"},
		"bad name": {waitsFor("InvalidImageName", "no such name", ago(0)), true, 0,
			"InvalidImageName: no such name"},
		"never pulled": {waitsFor("ErrImageNeverPull", "", ago(0)), true, 0, "ErrImageNeverPull"},
		"image cannot be had": {waitsFor("ImagePullBackOff", "not found", ago(20*time.Second)), false, 40 * time.Second,
			"ImagePullBackOff: not found"},
		"for long": {waitsFor("ErrImagePull", "not found", ago(time.Minute)), true, 0, "ErrImagePull: not found"},
		"no ConfigMap yet": {waitsFor("CreateContainerConfigError", "no key", ago(5*time.Second)), false,
			10 * time.Second, "CreateContainerConfigError: no key"},
		"no ConfigMap":  {waitsFor("CreateContainerConfigError", "no key", ago(15*time.Second)), true, 0, "no key"},
		"crashed twice": {crashed("2"), false, 0, "restarted 2 times"},
		"crashes":       {crashed("3"), true, 0, "CrashLoopBackOff: it ended with status 1; restarted 3 times"},
		"no node yet": {`{"phase":"Pending","conditions":[{"type":"PodScheduled","status":"False","reason":"Unschedulable",
			"message":"0/1 nodes","lastTransitionTime":"` + ago(50*time.Second) + `"}]}`,
			false, 10 * time.Second, "no node takes it: 0/1 nodes"},
		"no node": {`{"phase":"Pending","conditions":[{"type":"PodScheduled","status":"False","reason":"Unschedulable",
			"lastTransitionTime":"` + ago(time.Minute) + `"}]}`,
			true, 0, "no node takes it"},
		"gated": {`{"phase":"Pending","conditions":[{"type":"PodScheduled","status":"False","reason":"SchedulingGated",
			"lastTransitionTime":"` + ago(time.Hour) + `"}]}`,
			false, 0, "no node takes it"},
		"image of the second, after a long first": {`{"phase":"Pending",` + scheduled(ago(time.Hour)) +
			`,"initContainerStatuses":[{"name":"i","state":{"terminated":{"exitCode":0,"finishedAt":"` + ago(10*time.Second) +
			`"}}}],"containerStatuses":[{"name":"web","state":{"waiting":{"reason":"ErrImagePull","message":"x"}}}]}`, false,
			50 * time.Second, "ErrImagePull: x"},
	} {
		p := aPod(t, test.status)
		w := waitOf(&p)
		stalled, again := w.isPermanent(noon)
		if stalled != test.stalled || again != test.again || !strings.Contains(w.text, test.text) ||
			(test.text == "") != (w.text == "") {
			t.Errorf("%s: stalled %t, again after %s, %q; want %t, %s, %q", name, stalled, again, w.text, test.stalled,
				test.again, test.text)
		}
	}
}

// The kubelet tells of one vain pull as an error first and then as waiting.
func TestPullsAreCounted(t *testing.T) {
	h, at := wait{}, noon
	for i, reason := range []string{"ErrImagePull", "ImagePullBackOff", "ErrImagePull", "ErrImagePull",
		"ImagePullBackOff", "ErrImagePull"} {
		h = wait{reason: reason, since: noon.Add(-time.Hour)}.after(h, at)
		at = at.Add(10 * time.Second)
		if stalled, _ := h.isPermanent(at); stalled != (i == 5) {
			t.Errorf("after %d notices, %d pulls: stalled %t", i+1, h.pulls, stalled)
		}
	}
	h = wait{reason: "ImagePullBackOff"}.after(wait{}, noon)
	if stalled, again := h.isPermanent(noon.Add(10 * time.Second)); stalled || again != 50*time.Second {
		t.Errorf("seen for the first time: %t, again after %s", stalled, again)
	}
}

func TestReplicaOf(t *testing.T) {
	p := aPod(t, waitsFor("ContainerCreating", "", ago(0)))
	r := replicaOf(&p)
	if r.pod.Name != "web-1-x" || r.uid != "p" || r.controller != "rs" || r.wait.text == "" {
		t.Errorf("got %+v", r)
	}
	p.Metadata.DeletionTimestamp = ago(0)
	if r := replicaOf(&p); r.wait != (wait{}) {
		t.Errorf("a pod that ends waits for %+v", r.wait)
	}
}

func TestDiagnosis(t *testing.T) {
	const waiting = `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","generation":2},
		"spec":{"replicas":4},"status":{"observedGeneration":2,"updatedReplicas":4,"replicas":4,"readyReplicas":3`
	deployment := func(more string) string { return waiting + more + `}}` }
	failure := func(message string, d time.Duration) string {
		return `,"conditions":[{"type":"ReplicaFailure","status":"True","message":"` + message + `","lastTransitionTime":"` +
			ago(d) + `"}]`
	}
	set := func(spec, status string) string {
		return `{"apiVersion":"apps/v1","kind":"StatefulSet","metadata":{"name":"db","generation":1},"spec":{"replicas":3` +
			spec + `},"status":{"observedGeneration":1,"readyReplicas":2,"currentRevision":"a","updateRevision":"b"` + status +
			`}}`
	}
	never := wait{reason: "ErrImageNeverPull", text: "ErrImageNeverPull"}
	starting := wait{reason: "ContainerCreating", text: "ContainerCreating"}
	crash := wait{reason: "CrashLoopBackOff", text: "CrashLoopBackOff", restarts: 5}
	const quota = "pods x is forbidden: exceeded quota"
	for name, test := range map[string]struct {
		workload string
		replicas []replica
		refusal  refusal
		kind     string
		message  string
		phase    manifest.Phase
		again    time.Duration
	}{
		"starts": {deployment(""), []replica{{pod: named("web-2")}, {pod: named("web-1"), wait: starting}}, refusal{},
			"Reconciling", "3 of 4 replicas ready; pod web-1 waits: ContainerCreating", manifest.InProgress, 0},
		"cannot start": {deployment(""), []replica{{pod: named("web-0"), wait: starting}, {pod: named("web-1"), wait: never}},
			refusal{}, "Stalled", "3 of 4 replicas ready; pod web-1 waits: ErrImageNeverPull", manifest.Failed, 0},
		"an old pod cannot": {deployment(""), []replica{{pod: named("web-1"), wait: never, controller: "old"}}, refusal{},
			"Reconciling", "3 of 4 replicas ready; pod web-1 waits: ErrImageNeverPull", manifest.InProgress, 0},
		"no pods to be seen": {deployment(""), nil, refusal{}, "", "", manifest.InProgress, 0},
		"not seen yet": {strings.Replace(deployment(""), `"generation":2`, `"generation":3`, 1),
			[]replica{{pod: named("web-1"), wait: never}}, refusal{}, "", "", manifest.InProgress, 0},
		"ready": {strings.Replace(deployment(""), `"readyReplicas":3`, `"readyReplicas":4`, 1),
			[]replica{{pod: named("web-1"), wait: never}}, refusal{}, "", "", manifest.Ready, 0},
		"no quota for long": {deployment(failure(quota, createGrace)), nil, refusal{}, "Stalled",
			"3 of 4 replicas ready; pods cannot be created: " + quota, manifest.Failed, 0},
		"paused, no quota for long": {deployment(""), nil, refusal{quota, noon.Add(-createGrace)}, "Stalled",
			"3 of 4 replicas ready; pods cannot be created: " + quota, manifest.Failed, 0},
		"no quota at all": {strings.Replace(deployment(failure(quota, createGrace)), `"replicas":4,`, `"replicas":0,`,
			1), nil, refusal{}, "Stalled", "pods cannot be created: " + quota, manifest.Failed, 0},
		"no quota yet": {deployment(failure(quota, 0)), nil, refusal{}, "Reconciling",
			"3 of 4 replicas ready; pods cannot be created: " + quota, manifest.InProgress, createGrace},
		"refused for a while": {deployment(failure("timeout", time.Hour)), nil, refusal{}, "Reconciling",
			"3 of 4 replicas ready; pods cannot be created: timeout", manifest.InProgress, 0},
		"no progress": {deployment(`,"conditions":[{"type":"Progressing","status":"False",
			"reason":"ProgressDeadlineExceeded","message":"too slow"}]`), []replica{{pod: named("web-1"), wait: starting}},
			refusal{}, "Stalled", "too slow; pod web-1 waits: ContainerCreating", manifest.Failed, 0},
		"set": {set("", ""), []replica{{pod: named("db-2"), revision: "b", wait: crash}}, refusal{}, "Stalled",
			"2 of 3 replicas ready; pod db-2 waits: CrashLoopBackOff", manifest.Failed, 0},
		"set on old revision": {set("", ""), []replica{{pod: named("db-2"), revision: "a", wait: crash}}, refusal{},
			"Reconciling", "2 of 3 replicas ready; pod db-2 waits: CrashLoopBackOff", manifest.InProgress, 0},
		"set below partition": {set(`,"updateStrategy":{"rollingUpdate":{"partition":2}}`, ""), []replica{{pod: named("db-1"),
			revision: "a", wait: crash}}, refusal{}, "Stalled", "2 of 3 replicas ready; pod db-1 waits: CrashLoopBackOff",
			manifest.Failed, 0},
		"set without quota": {set("", `,"replicas":2`), nil, refusal{quota, noon.Add(-createGrace)}, "Stalled",
			"2 of 3 replicas ready; pods cannot be created: " + quota, manifest.Failed, 0},
		"set with all its pods": {set("", `,"replicas":3`), nil, refusal{quota, noon.Add(-createGrace)}, "", "",
			manifest.InProgress, 0},
		"job counts crashes itself": {`{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"j","generation":1},
			"spec":{},"status":{"active":1}}`, []replica{{pod: named("j-x"), wait: crash}}, refusal{},
			"Reconciling", "0 of 1 completions, 1 running; pod j-x waits: CrashLoopBackOff", manifest.InProgress, 0},
	} {
		o := object(t, test.workload)
		q := diagnosis{workload: o, replicas: test.replicas, refusal: test.refusal, now: noon, sets: map[string]replicaSet{
			"": {template: templateDigest(o), refusal: test.refusal}, "old": {refusal: refusal{message: "of the old one"}},
		}}
		v, again := q.condition()
		if v.kind != test.kind || v.message != test.message || again != test.again {
			t.Errorf("%s: %+v, again after %s; want %s %q, %s", name, v, again, test.kind, test.message, test.again)
		}
		state := manifest.Status(v.on(o))
		if state.Phase != test.phase || test.message != "" && state.Message != test.message {
			t.Errorf("%s: counts as %+v, want %s", name, state, test.phase)
		}
	}
}

func TestConditionLeavesTheSharedObjectAlone(t *testing.T) {
	o := object(t, `{"kind":"Deployment","status":{"conditions":[{"type":"Available"}]}}`)
	before := o.Clone()
	got := condition{"Stalled", "Why", "no way"}.on(o)
	if !cmp.Equal(o, before) || len(got.Field("status", "conditions").([]any)) != 2 {
		t.Errorf("got %v from %v", got, o)
	}
}

func TestDaemonSetRevision(t *testing.T) {
	o := object(t, `{"kind":"DaemonSet","metadata":{"annotations":{"deprecated.daemonset.template.generation":"3"}}}`)
	if !isOfRevision(o, replica{revision: "3"}) || isOfRevision(o, replica{revision: "2"}) {
		t.Error("the pods of a DaemonSet are not told apart by their generation")
	}
}

func object(t *testing.T, text string) sluice.Object {
	t.Helper()
	var o sluice.Object
	if err := kjson.UnmarshalCaseSensitivePreserveInts([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestTemplateDigest(t *testing.T) {
	digest := func(text string) [32]byte { return templateDigest(object(t, text)) }
	deployment := digest(`{"spec":{"template":{"metadata":{"labels":{"app":"web"}},"spec":{"hostname":"a"}}}}`)
	if deployment != digest(`{"spec":{"template":{"metadata":{"labels":{"pod-template-hash":"1","app":"web"}},
		"spec":{"hostname":"a"}}}}`) {
		t.Error("a Deployment and its ReplicaSet differ")
	}
	if deployment == digest(`{"spec":{"template":{"metadata":{"labels":{"app":"web"}},"spec":{"hostname":"b"}}}}`) {
		t.Error("another template is the same")
	}
}

func TestRefusalSinceTheLastWrite(t *testing.T) {
	o := object(t, `{"metadata":{"managedFields":[{"manager":"sluice","time":"`+ago(time.Minute)+`"},{"manager":"c",
		"subresource":"status","time":"`+ago(0)+`"}]}}`)
	if got := lastWrite(o); !got.Equal(noon.Add(-time.Minute)) {
		t.Fatalf("last written %s", got)
	}
	var e creationFailure
	e.Message, e.FirstTimestamp.Time, e.LastTimestamp.Time = "no", noon.Add(-time.Hour), noon.Add(-2*time.Minute)
	if got := e.since(lastWrite(o)); got.message != "" {
		t.Errorf("what was refused before the write counts: %+v", got)
	}
	e.LastTimestamp.Time = noon
	if got := e.since(lastWrite(o)); got != (refusal{"no", noon.Add(-time.Minute)}) {
		t.Errorf("got %+v", got)
	}
}

func named(name string) sluice.Pod { return sluice.Pod{Name: name} }
