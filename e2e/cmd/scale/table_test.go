package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseShapes(t *testing.T) {
	got, err := parseShapes("1,200,20x4")
	want := []shape{{1, 1}, {200, 1}, {20, 4}}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(shape{})); d != "" || err != nil {
		t.Errorf("%v: -want +got\n%s", err, d)
	}
	if got := got[1].String() + "," + got[2].String(); got != "200,20x4" {
		t.Error(got)
	}
	for _, wrong := range []string{"", "a", "0", "1x", "1x0", "1,,2"} {
		if _, err := parseShapes(wrong); err == nil {
			t.Errorf("%q is no size", wrong)
		}
	}
}

// Requests count once, dry runs apart, and those of others or from before do not.
func TestCount(t *testing.T) {
	const begun = "2026-01-01T00:00:10.000000Z"
	line := func(agent, at, stage, verb, uri string) string {
		return `{"userAgent":"` + agent + `/1","requestReceivedTimestamp":"2026-01-01T00:00:` + at +
			`Z","stage":"` + stage + `","verb":"` + verb + `","requestURI":"` + uri +
			`","objectRef":{"resource":"deployments"}}` + "\n"
	}
	const done, started = "ResponseComplete", "ResponseStarted"
	record := line(agent, "09.0", done, "patch", "/x") + line("kubectl", "11.0", done, "patch", "/x") +
		line(agent, "11.0", done, "patch", "/x") + line(agent, "11.0", done, "patch", "/x?dryRun=All") +
		line(agent, "11.0", started, "watch", "/x") + line(agent, "11.0", done, "watch", "/x") +
		line(agent, "11.0", started, "get", "/x") + line(agent, "11.0", done, "get", "/x")
	from, err := time.Parse(time.RFC3339, begun)
	if err != nil {
		t.Fatal(err)
	}
	got, err := count(strings.NewReader(record), from)
	want := &requests{writes: 1, dryRuns: 1, reads: 2, each: map[string]int{
		"patch deployments": 1, "patch deployments (dry run)": 1, "watch deployments": 1, "get deployments": 1,
	}}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(requests{})); d != "" || err != nil {
		t.Errorf("%v: -want +got\n%s", err, d)
	}
	if _, err := count(strings.NewReader("no record"), from); err == nil {
		t.Error("it counts what is no record")
	}
}

func TestRow(t *testing.T) {
	m := measurement{
		shape: shape{20, 4}, plain: time.Second, canary: 3 * time.Second, pods: 160, cpu: time.Second, rss: 200 << 20,
		plainPlane: 4 * time.Second, canaryPlane: 5 * time.Second,
		requests: &requests{writes: 140, dryRuns: 20, reads: 50, each: map[string]int{"get pods": 50}},
	}
	const want = "20x4 1.00 s 3.00 s 3.0 2.0 - 7.0 1.0 2.5 1.0 200 5.0 4.0 1.5"
	if got := strings.Join(strings.Fields(m.row()), " "); got != want {
		t.Error(got)
	}
	if got := strings.TrimSpace(m.each()); got != "2.50 get pods" {
		t.Error(got)
	}
	if n := len(m.missed()); n != 4 {
		t.Errorf("it misses %d goals: %v", n, m.missed())
	}
	unknown := measurement{shape: shape{1, 1}, plain: time.Second, canary: 9 * time.Second, pods: 1}
	if got := strings.Join(strings.Fields(unknown.row()), " "); got != "1 1.00 s 9.00 s 9.0 1.0 - - - - - - - - -" {
		t.Error(got)
	}
	if missed := unknown.missed(); len(missed) > 0 {
		t.Errorf("one release alone misses %v", missed)
	}
}

// A Rollout has settled when its controller has seen its last change and all its pods have the version.
func TestRolloutHasSettled(t *testing.T) {
	o := rollout("web", 2)
	o["metadata"].(map[string]any)["generation"] = int64(3)
	status := map[string]any{
		"observedGeneration": "3", "phase": "Healthy", "currentPodHash": "a", "stableRS": "a",
		"updatedReplicas": int64(2), "availableReplicas": int64(2), "replicas": int64(2),
	}
	o["status"] = status
	if !hasSettled(o, "image:1", 2) || hasSettled(o, "image:2", 2) || hasSettled(o, "image:1", 3) {
		t.Error("it does not tell images and sizes")
	}
	for key, value := range map[string]any{
		"observedGeneration": "2", "phase": "Progressing", "stableRS": "b", "replicas": int64(3),
	} {
		before := status[key]
		status[key] = value
		if hasSettled(o, "image:1", 2) {
			t.Errorf("it has settled with %s %v", key, value)
		}
		status[key] = before
	}
}

func TestWeights(t *testing.T) {
	if d := cmp.Diff([]int{25, 50, 100}, weights(steps)); d != "" {
		t.Error(d)
	}
	if got := setWeights(2); got != "{setWeight: {weight: 25}}, {setWeight: {weight: 100}}" {
		t.Error(got)
	}
}
