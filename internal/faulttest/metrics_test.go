package faulttest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// A fakePrometheus gives the answer of its mode to every query, or of the modes in turn, the last one for ever.
type fakePrometheus struct {
	*httptest.Server
	asked atomic.Int64
}

func fake(t *testing.T, modes ...string) *fakePrometheus {
	p := &fakePrometheus{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n := int(p.asked.Add(1))
		answer(w, modes[min(n, len(modes))-1])
	}))
	t.Cleanup(p.Close)
	return p
}

func answer(w http.ResponseWriter, mode string) {
	vector := func(elements string) string {
		return `{"status":"success","data":{"resultType":"vector","result":[` + elements + `]}}`
	}
	element := func(value string) string { return `{"metric":{},"value":[1767323045,"` + value + `"]}` }
	w.Header().Set("Content-Type", "application/json")
	switch mode {
	case "down":
		panic(http.ErrAbortHandler) // the connection breaks
	case "401", "404", "429", "503":
		status, _ := strconv.Atoi(mode)
		w.WriteHeader(status)
	case "store away":
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = io.WriteString(w, `{"status":"error","errorType":"execution","error":"expanding series: Unavailable"}`)
	case "garbage":
		_, _ = io.WriteString(w, "<html>a proxy's page</html>")
	case "refused":
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"status":"error","errorType":"bad_data","error":"parse error"}`)
	case "empty":
		_, _ = io.WriteString(w, vector(""))
	case "NaN":
		_, _ = io.WriteString(w, vector(element("NaN")))
	case "bad":
		_, _ = io.WriteString(w, vector(element("9")))
	default:
		_, _ = io.WriteString(w, vector(element("0")))
	}
}

// plain is a release without analysis.
func plain(release string) string {
	return deployFile("", "", join(strings.Replace(service, "{port", "{name: http, port", 1),
		deployment("web", "web", release, probe)))
}

// analysed is a release of which half of the traffic is analysed.
func analysed(release, more string) string {
	text := strings.Replace(plain(release), "\nmanifests:", `
analysis:
  defaultMetricProviderName: prometheus
  queries: [{name: errors, queryTemplate: "sum(errors)", upperLimit: 5}]
manifests:`, 1)
	return strings.Replace(text, "{canary: {steps: [{setWeight: {weight: 100}}]}}", `
    canary:
      steps:
        - setWeight: {weight: 50}
        - analysis: {queries: [errors], interval: 1s, numberOfJudgmentRuns: 2`+more+`}
        - setWeight: {weight: 100}`, 1)
}

// shares counts the answers of each release to 20 requests.
func (w *world) shares() map[string]int {
	w.t.Helper()
	address := strings.TrimSpace(w.sluice("local", "address", "production", "web", "8080").stdout)
	found := map[string]int{}
	for range 20 {
		res, err := http.Get("http://" + address)
		if err != nil {
			w.t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			w.t.Fatal(err)
		}
		found[strings.TrimSpace(string(body))]++
	}
	return found
}

func metricsConfig(p *fakePrometheus) string {
	return "metrics: {prometheus: {url: \"" + p.URL + "\"}}\n"
}

// TestPrometheusDown: the metrics are unknown, so the traffic stays; when the budget is spent a person is asked, and
// the traffic still stays.
func TestPrometheusDown(t *testing.T) {
	t.Parallel()
	p := fake(t, "down")
	w := newWorld(t, metricsConfig(p))
	w.mustDeploy(plain("1"))
	before := w.things()
	r := w.begin(analysed("2", ", unknownBudget: 2s"))
	r.await("the metrics are unknown, the traffic stays as it is")
	if got := w.shares(); got["1"] != 10 || got["2"] != 10 {
		t.Errorf("while the metrics are unknown the traffic is %v", got)
	}
	r.await("unknown for too long, and a person decides")
	if got := w.shares(); got["1"] != 10 || got["2"] != 10 {
		t.Errorf("while a person is asked the traffic is %v", got)
	}
	w.says(w.sluice("reject", "--reason", "not today"), 0)
	w.says(r.end(), 1, "Prometheus at "+p.URL+" does not answer", "not today", "ended: rolledBack")
	w.unchanged(before, 1)
	if got := w.shares(); got["1"] != 20 {
		t.Errorf("after the rollback the traffic is %v", got)
	}
	if n := strings.Count(r.said.String(), "the metrics are unknown"); n != 1 {
		t.Errorf("the outage is told %d times:\n%s", n, r.said.String())
	}
}

// TestPrometheusOutcomes: every way of having no answer is unknown, and an outage that ends costs only its time.
func TestPrometheusOutcomes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		modes  []string // the first is asked before anything starts, the second by Check
		more   string
		status int
		says   string
	}{
		"comes back": {[]string{"down", "down", "down", "503", "garbage", "good"}, ", unknownBudget: 20s", 0,
			"ended: succeeded"},
		"errors of a proxy": {[]string{"404", "401", "429", "404", "401", "store away", "good"}, ", unknownBudget: 20s",
			0, "ended: succeeded"},
		"refused once": {[]string{"good", "good", "good", "refused", "good"}, ", unknownBudget: 20s", 0,
			"ended: succeeded"},
		"no data, then NaN": {[]string{"empty", "empty", "empty", "NaN", "good"}, ", unknownBudget: 20s", 0,
			"ended: succeeded"},
		"the file says so": {[]string{"down"}, ", unknownBudget: 2s, onUnknown: rollBack", 1,
			"the metrics stayed unknown for too long"},
		"comes back bad":    {[]string{"down", "down", "down", "bad"}, ", unknownBudget: 20s", 1, "the analysis is bad"},
		"refuses the query": {[]string{"refused"}, "", 2, "refuses the query: parse error"},
		"refuses it later":  {[]string{"good", "refused"}, "", 1, "refuses the query: parse error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := fake(t, test.modes...)
			w := newWorld(t, metricsConfig(p))
			w.mustDeploy(plain("1"))
			before := w.things()
			out := w.deploy(analysed("2", test.more))
			w.says(out, test.status, test.says)
			if test.status != 0 {
				w.unchanged(before, 1)
				return
			}
			if got := w.shares(); got["2"] != 20 {
				t.Errorf("the traffic is %v", got)
			}
			if p.asked.Load() < int64(len(test.modes)) {
				t.Error(fmt.Sprint("asked only ", p.asked.Load(), " times"))
			}
		})
	}
}
