package kubernetes

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"

	"github.com/sluice-cd/sluice"
)

func TestLastLines(t *testing.T) {
	var in strings.Builder
	for i := range 10 {
		fmt.Fprintf(&in, "2026-01-01T00:00:0%d.5Z line %d\n", i, i)
	}
	fmt.Fprintf(&in, "2026-01-01T00:00:10Z %s\n2026-01-01T00:00:11.25Z no end", strings.Repeat("x", 3*maxLogLine))
	for name, r := range map[string]io.Reader{"at once": strings.NewReader(in.String()), "byte by byte": iotest.OneByteReader(strings.NewReader(in.String()))} {
		lines, err := lastLines(r, 4)
		if err != nil || len(lines) != 4 {
			t.Fatalf("%s: %d lines, %v", name, len(lines), err)
		}
		if lines[0].text != "line 8" || lines[3].text != "no end" || lines[3].at != "2026-01-01T00:00:11.250000000" {
			t.Errorf("%s: %+v ... %+v", name, lines[0], lines[3])
		}
		if n := len(lines[2].text); n > maxLogLine || n < maxLogLine/2 {
			t.Errorf("%s: %d bytes of a long line are kept", name, n)
		}
	}
}

func TestLastLinesAreBounded(t *testing.T) {
	long := strings.Repeat("2026-01-01T00:00:00Z "+strings.Repeat("y", maxLogLine/2)+"\n", 4*maxLogBytes/maxLogLine)
	lines, err := lastLines(strings.NewReader(long), 1<<20)
	kept := 0
	for _, l := range lines {
		kept += len(l.text)
	}
	if err != nil || kept > maxLogBytes || kept < maxLogBytes/2 {
		t.Errorf("%d bytes are kept, %v", kept, err)
	}
}

func TestWithout(t *testing.T) {
	const what = "/api/v1/proxy"
	in := `<a href="/api/v1/proxy/login">/api/v1/pro` + what + what + `/api/v1/prox</a>/api`
	want := `<a href="/login">/api/v1/pro/api/v1/prox</a>/api`
	for size := 1; size < len(in)+2; size++ {
		r := &without{in: iotest.OneByteReader(strings.NewReader(in)), what: []byte(what)}
		var got strings.Builder
		if _, err := io.CopyBuffer(struct{ io.Writer }{&got}, struct{ io.Reader }{r}, make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		if got.String() != want {
			t.Fatalf("with a buffer of %d bytes: %q", size, got.String())
		}
	}
}

func TestOutputIsBounded(t *testing.T) {
	h, e := &head{max: 5}, &tail{max: 5}
	for _, s := range []string{"abc", "defghijkl", "", "mn"} {
		for _, w := range []io.Writer{h, e} {
			if n, err := w.Write([]byte(s)); n != len(s) || err != nil {
				t.Errorf("Write(%q) = %d, %v", s, n, err)
			}
		}
	}
	if h.String() != "abcde" || e.String() != "jklmn" {
		t.Errorf("head %q, tail %q", h.String(), e.String())
	}
}

func TestAllows(t *testing.T) {
	rule := func(group, resource, verb string, names ...string) authorizationv1.ResourceRule {
		return authorizationv1.ResourceRule{APIGroups: []string{group}, Resources: []string{resource}, Verbs: []string{verb}, ResourceNames: names}
	}
	log := sluice.Right{Verb: "get", Resource: "pods/log"}
	tests := map[string]struct {
		rule  authorizationv1.ResourceRule
		right sluice.Right
		want  bool
	}{
		"itself":                  {rule("", "pods/log", "get"), log, true},
		"everything":              {rule("*", "*", "*"), log, true},
		"every such subresource":  {rule("", "*/log", "get"), log, true},
		"the resource is not its": {rule("", "pods", "get"), log, false},
		"another verb":            {rule("", "pods/log", "list"), log, false},
		"another group":           {rule("apps", "pods/log", "get"), log, false},
		"only one object":         {rule("", "pods/log", "get", "web-0"), log, false},
	}
	for name, tt := range tests {
		if got := allows(tt.rule, tt.right); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestSkew(t *testing.T) {
	at := time.Date(2026, 1, 1, 12, 0, 0, 300_000_000, time.UTC)
	tests := map[string]time.Duration{
		"Thu, 01 Jan 2026 12:00:00 GMT": 0, // a date has no fractions
		"Thu, 01 Jan 2026 12:00:01 GMT": 0,
		"Thu, 01 Jan 2026 12:01:00 GMT": 59 * time.Second,
		"Thu, 01 Jan 2026 11:59:00 GMT": -59 * time.Second,
		"":                              0,
	}
	got := map[string]time.Duration{}
	for date := range tests {
		got[date] = skew(date, at, at.Add(time.Second)).Truncate(time.Second)
	}
	if diff := cmp.Diff(tests, got); diff != "" {
		t.Error(diff)
	}
}

func TestWebhookNamespace(t *testing.T) {
	for uri, want := range map[string]string{
		"http://hook:8080/x": "own", "http://hook.tools:8080/x": "tools", "https://hook.tools.svc.cluster.local/x": "tools",
		"http://{{context.host}}/x": "own", "http://hook.{{context.ns}}:80/": "own", "https://api.example.com/x": "",
	} {
		got, inside := webhookNamespace(uri, "own")
		if !inside {
			got = ""
		}
		if got != want {
			t.Errorf("%s is in %q, want %q", uri, got, want)
		}
	}
}
