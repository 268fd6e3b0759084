package rollout_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/e2e/world"
)

// A faultyProxy stands before Prometheus. Once faults are let out it answers with each of them once, then it passes
// everything on again.
type faultyProxy struct {
	*httptest.Server
	faults []int
	next   atomic.Int64 // -1: it passes everything on
}

func newFaultyProxy(t *testing.T, m *world.Monitor, faults ...int) *faultyProxy {
	t.Helper()
	to, err := url.Parse(m.URL())
	if err != nil {
		t.Fatal(err)
	}
	pass := httputil.NewSingleHostReverseProxy(to)
	p := &faultyProxy{faults: faults}
	p.next.Store(-1)
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.next.Load() < 0 {
			pass.ServeHTTP(w, r)
			return
		}
		if i := int(p.next.Add(1)) - 1; i < len(p.faults) {
			http.Error(w, "this proxy answers "+fmt.Sprint(p.faults[i]), p.faults[i])
			return
		}
		pass.ServeHTTP(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

// TestProviderThatAnswersWithErrors: no answer of a proxy says anything about the release.
func TestProviderThatAnswersWithErrors(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	proxy := newFaultyProxy(t, s.Monitor(), 429, 503, 404, 401, 400)
	s.Configure(fmt.Sprintf("metrics: {prometheus: {type: prometheus, url: %q}}\n", proxy.URL))
	s.installed(patient + failing)
	load := s.Load("web", 80, "/version")
	s.release("v2", "green")
	p := s.Start("run", "-f", "deploy.yaml")
	sampled := func(e world.Event) string {
		if e.Step != "production/canary/1" || e.Progress == nil || e.Progress.Result == nil {
			return ""
		}
		var reasons []string
		for _, sample := range e.Progress.Result.Judgment.Samples {
			reasons = append(reasons, string(sample.Verdict)+" "+sample.Reason)
		}
		return strings.Join(reasons, "\n")
	}
	p.Await(func(e world.Event) bool { return strings.Contains(sampled(e), "good") })
	proxy.next.Store(0)
	before := load.Counts()
	p.Await(func(e world.Event) bool { return strings.Contains(sampled(e), "answers 401") })
	share(t, load.Counts().Since(before), 0.5)
	s.expect("web", map[string]int{"v1": 4})
	s.expect("web-canary", map[string]int{"v2": 4})
	r := s.Ends(sluice.StatusSucceeded, p)
	s.expect("web", map[string]int{"v2": 4})
	last := ""
	for _, e := range r.Events {
		if e.Kind == sluice.StepUndoing || e.Kind == sluice.StepFailed {
			t.Errorf("%s %s", e.Kind, e.Step)
		}
		if found := sampled(e); found != "" {
			last = found
		}
	}
	for _, status := range []int{429, 503, 404, 401} {
		if !strings.Contains(last, fmt.Sprintf("unknown Prometheus at %s answers %d: this proxy", proxy.URL, status)) {
			t.Errorf("the evidence does not name the answer %d:\n%s", status, last)
		}
	}
	load.Perfect()
}
