package kubernetes_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
)

const (
	replicaSets = "/apis/apps/v1/namespaces/shop/replicasets"
	podsPath    = "/api/v1/namespaces/shop/pods"
	webPath     = podsPath + "/web-0"
	evictWeb    = "POST " + webPath + "/eviction"
	budgetsIn   = "/apis/policy/v1/namespaces/shop/poddisruptionbudgets"
	readyState  = `"phase":"Running","conditions":[{"type":"Ready","status":"True"}]`
)

func web0(uid, version, status string) string {
	return `{"metadata":{"name":"web-0","namespace":"shop","uid":"` + uid + `","resourceVersion":"` + version +
		`","labels":{"app":"web"}},
		"spec":{"containers":[{"name":"web","image":"web:1"}]},"status":{` + status + `}}`
}

func budget(allowed string) string {
	return `{"metadata":{"name":"web"},"spec":{"selector":{"matchLabels":{"app":"web"}}},
		"status":{"disruptionsAllowed":` + allowed + `}}`
}

// forbidden is the answer to an eviction that a disruption budget forbids.
func forbidden() answer {
	a := failure(429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.",
		`"causes":[{"reason":"DisruptionBudget",
			"message":"The disruption budget web needs 1 healthy pods and has 1 currently"}]`)
	a.header = [2]string{"Retry-After", "10"}
	return a
}

// after makes the second answer wait for the first.
func after(first, second answer) (answer, answer) {
	given := make(chan struct{})
	first.then, second.when = func() { close(given) }, given
	return first, second
}

func TestEvict(t *testing.T) {
	ready := answer{body: web0("u", "1", readyState)}
	created := answer{status: 201, body: `{"kind":"Status","apiVersion":"v1","status":"Success","code":201}`}
	goes := answer{body: frame("MODIFIED", web0("u", "2", readyState)) + frame("DELETED", web0("u", "3", readyState))}
	allowed, goesThen := after(created, goes)
	allowedLater, goesLater := after(created, goes)
	other := answer{body: frame("ADDED", web0("v", "4", ""))}
	unready := `"phase":"Running","conditions":[{"type":"Ready","status":"False"}]`
	for name, test := range map[string]struct {
		pod                           answer
		evict, watch, budgets, delete []answer
		code                          sluice.Code
	}{
		"not there":      {pod: notFound("pods", "web-0")},
		"allowed":        {pod: ready, evict: []answer{created}, watch: []answer{goes}},
		"already gone":   {pod: ready, evict: []answer{notFound("pods", "web-0")}, watch: []answer{goes}},
		"replaced since": {pod: ready, evict: []answer{created}, watch: []answer{other}},
		"forbidden until the budget allows it": {pod: ready, evict: []answer{forbidden(), allowed}, watch: []answer{goesThen},
			budgets: []answer{{body: frame("MODIFIED", budget("0")) + frame("MODIFIED", budget("1"))}}},
		"forbidden until its budget is gone": {
			pod: ready, evict: []answer{forbidden(), allowedLater}, watch: []answer{goesLater},
			budgets: []answer{{body: frame("DELETED", budget("0"))}}},
		"forbidden, and not ready": {pod: answer{body: web0("u", "1", unready)}, evict: []answer{forbidden()},
			watch:  []answer{goes},
			delete: []answer{{body: web0("u", "2", unready)}}},
		"the server has too much to do": {pod: ready, evict: []answer{failure(429, "TooManyRequests",
			"too many requests, please try again later", "")},
			watch: []answer{{}}, code: sluice.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			s.on("GET "+webPath, test.pod)
			s.on(evictWeb, test.evict...)
			s.on("DELETE "+webPath, test.delete...)
			s.may("GET "+podsPath, list("1", web0("u", "1", readyState)))
			s.may("WATCH "+podsPath, test.watch...)
			s.may("GET "+budgetsIn, list("1", budget("0")))
			s.may("WATCH "+budgetsIn, test.budgets...)
			wantError(t, s.Evict(s.soon(), "shop", "web-0"), test.code, "try again later")
			for _, r := range s.sent("POST ") {
				if !strings.Contains(r.body, `"preconditions":{"uid":"u"}`) {
					t.Errorf("evicted with %s", r.body)
				}
			}
			for _, r := range s.sent("DELETE ") {
				if !strings.Contains(r.body, `"preconditions":{"uid":"u","resourceVersion":"1"}`) {
					t.Errorf("deleted with %s", r.body)
				}
			}
		})
	}
}

func TestPods(t *testing.T) {
	s := serve(t)
	pod := func(name, owner, status string) string {
		return `{"metadata":{"name":"` + name + `","namespace":"shop","labels":{"pod-template-hash":"1"},
			"ownerReferences":[` + owner + `]},
			"spec":{"containers":[{"name":"side","image":"side:1"},{"name":"web","image":"web:1"}]},"status":{` + status + `}}`
	}
	const rs, job = `{"kind":"ReplicaSet","name":"web-1","controller":true}`,
		`{"kind":"Job","name":"once","controller":true}`
	first := list("1", pod("web-1-b", rs, readyState+`,"containerStatuses":[{"restartCount":2},{"restartCount":1}]`),
		pod("ended", "", `"phase":"Succeeded"`))
	first.body = strings.Replace(first.body, `"resourceVersion":"1"`, `"resourceVersion":"1","continue":"more"`, 1)
	s.on("GET "+podsPath, first, list("1", pod("once-x", job, `"phase":"Succeeded"`), pod("alone", "", "")))
	s.on("GET "+replicaSets, list("1",
		`{"metadata":{"name":"web-1","namespace":"shop","ownerReferences":[{"kind":"Deployment","name":"web",
		"controller":true}]}}`))
	got, err := s.Pods(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	labels := map[string]string{"pod-template-hash": "1"}
	want := []sluice.Pod{
		{Namespace: "shop", Name: "alone", Owner: "Pod/alone", Image: "side:1", Reason: "it is starting", Revision: "1",
			Labels: labels},
		{Namespace: "shop", Name: "once-x", Owner: "Job/once", Image: "side:1", Revision: "1", Labels: labels},
		{Namespace: "shop", Name: "web-1-b", Owner: "Deployment/web", Image: "side:1", Ready: true, Restarts: 3,
			Revision: "1", Labels: labels},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	if q := s.sent("GET " + podsPath)[1].query; q != "continue=more&limit=500" {
		t.Errorf("the second page is asked for with %s", q)
	}
}

func TestLogs(t *testing.T) {
	s := serve(t)
	running, waiting := `"state":{"running":{}}`, `"state":{"waiting":{"reason":"CrashLoopBackOff"}},
		"lastState":{"terminated":{"exitCode":1}},"restartCount":3`
	s.on("GET "+webPath, answer{body: web0("u", "1", `"initContainerStatuses":[{"name":"init",
		"state":{"terminated":{"exitCode":0}}}],
		"containerStatuses":[{"name":"a",`+running+`},{"name":"b",`+waiting+`},{"name":"c","state":{"waiting":{}}}]`)})
	s.on("GET "+webPath+"/log", answer{body: "2026-01-01T00:00:02Z second\n2026-01-01T00:00:03.5Z third\n"},
		failure(400, "BadRequest", `container "b" in pod "web-0" is waiting to start`, ""),
		answer{body: "2026-01-01T00:00:03Z why\n"})
	got, err := s.Logs(t.Context(), "shop", "web-0", 2)
	if err != nil || !slices.Equal(got, []string{"b: why", "a: third"}) {
		t.Errorf("%q, %v", got, err)
	}
	last := s.sent("GET " + webPath + "/log")[2].query
	if last != "container=b&previous=true&tailLines=2&timestamps=true" {
		t.Errorf("the run before is asked for with %s", last)
	}
}

// The last lines of a container that was restarted say why it ended: they are of the run before.
func TestLogsOfARestartedContainer(t *testing.T) {
	s := serve(t)
	s.on("GET "+webPath, answer{body: web0("u", "1", `"containerStatuses":[{"name":"web","restartCount":1,
		"state":{"running":{}},"lastState":{"terminated":{"exitCode":3}}}]`)})
	s.on("GET "+webPath+"/log", answer{body: "2026-01-01T00:00:04Z starts again\n"},
		answer{body: "2026-01-01T00:00:02Z works\n2026-01-01T00:00:03Z no more coffee\n"})
	got, err := s.Logs(t.Context(), "shop", "web-0", 3)
	if err != nil || !slices.Equal(got, []string{"works", "no more coffee", "starts again"}) {
		t.Errorf("%q, %v", got, err)
	}
	if last := s.sent("GET " + webPath + "/log")[1].query; !strings.Contains(last, "previous=true&tailLines=2") {
		t.Errorf("the run before is asked for with %s", last)
	}
}

func TestTailWaitsForTheContainer(t *testing.T) {
	s := serve(t)
	waits, starts := after(failure(400, "BadRequest", `container "web" in pod "web-0" is waiting to start`, ""),
		answer{body: frame("MODIFIED", web0("u", "2", ""))})
	s.on("GET "+webPath, answer{body: `{"kind":"Pod","apiVersion":"v1",` + web0("u", "1", "")[1:]})
	s.on("GET "+podsPath, list("1", web0("u", "1", "")))
	s.on("WATCH "+podsPath, starts)
	s.on("GET "+webPath+"/log", waits, answer{body: "one\r\n\ntwo"})
	var got []string
	for line, err := range s.Tail(s.soon(), "shop", "web-0") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, line)
	}
	if !slices.Equal(got, []string{"one", "", "two"}) {
		t.Errorf("%q", got)
	}
	if q := s.sent("GET " + webPath + "/log")[1].query; q != "container=web&follow=true" {
		t.Errorf("the log is asked for with %s", q)
	}
}

func TestTailOfNoPodEnds(t *testing.T) {
	s := serve(t)
	s.on("GET "+webPath, notFound("pods", "web-0"))
	for _, err := range s.Tail(s.soon(), "shop", "web-0") {
		if sluice.ErrorCode(err) != sluice.NotFound {
			t.Errorf("it ends with %v", err)
		}
	}
}
