package telemetry_test

import (
	"net/http"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"

	"github.com/sluice-cd/sluice"
)

func want(t *testing.T, all map[string]*dto.MetricFamily, n float64, name string, labels ...string) {
	t.Helper()
	if got := value(all, name, labels...); got != n {
		t.Errorf("%s{%s} is %v, want %v", name, strings.Join(labels, ","), got, n)
	}
}

func TestMetricsOfDeployments(t *testing.T) {
	p := start(t, t.TempDir(), nil)
	good := p.deploy(t, application)
	queued, err := p.engine.Start(t.Context(), plan(application), sluice.Actor{Name: "ana"})
	if err != nil {
		t.Fatal(err)
	}
	p.until(t, "sluice_deployments", 1, "status=queued")
	all := p.until(t, "sluice_deployments_waiting_for_person", 1)
	want(t, all, 1, "sluice_deployments", "status=waiting")
	want(t, all, 0, "sluice_deployments", "status=running")
	want(t, all, 0, "sluice_deployments_ended_total", "outcome=succeeded")
	if since := value(all, "sluice_oldest_wait_seconds"); since <= 0 {
		t.Errorf("the oldest wait has lasted %v s", since)
	}
	p.decide(t, good, sluice.SignalApprove)
	p.until(t, "sluice_deployments_ended_total", 1, "outcome=succeeded")
	p.until(t, "sluice_deployments_waiting_for_person", 1) // the one that was queued
	p.decide(t, queued, sluice.SignalReject)
	all = p.until(t, "sluice_deployments_ended_total", 1, "outcome=failed")
	want(t, all, 0, "sluice_deployments", "status=waiting")
	want(t, all, 0, "sluice_deployments_waiting_for_person")
	want(t, all, 0, "sluice_oldest_wait_seconds")
	want(t, all, 1, "sluice_deployment_duration_seconds", "outcome=succeeded")
	want(t, all, 2, "sluice_step_duration_seconds", "kind=pause")
	want(t, all, 1, "sluice_step_duration_seconds", "kind=apply")
	want(t, all, 1, "sluice_step_failures_total", "kind=pause", "code=failed", "during=run")
	want(t, all, 1, "sluice_build_info", "version=1.2.3", "commit=abc", "go=go1")
	if all["go_goroutines"] == nil || all["process_open_fds"] == nil {
		t.Error("the metrics of Go or of the process are missing")
	}
}

// Each process counts what all of them do, from its start on.
func TestMetricsAreThoseOfTheStore(t *testing.T) {
	dir := t.TempDir()
	one := start(t, dir, nil)
	two := start(t, dir, nil)
	id := one.deploy(t, application)
	two.until(t, "sluice_deployments", 1, "status=waiting")
	three := start(t, dir, nil)
	three.until(t, "sluice_deployments_waiting_for_person", 1)
	one.decide(t, id, sluice.SignalApprove)
	for _, p := range []*process{one, two, three} {
		all := p.until(t, "sluice_deployments_ended_total", 1, "outcome=succeeded")
		want(t, all, 0, "sluice_deployments", "status=waiting")
		want(t, all, 1, "sluice_step_duration_seconds", "kind=pause")
	}
}

func TestMetricsOfRequests(t *testing.T) {
	p := start(t, t.TempDir(), nil)
	id := p.deploy(t, application)
	for _, path := range []string{"", "/" + string(id), "/absent", "/absent2"} {
		if err := p.get(t, "/api/v1/deployments"+path).Body.Close(); err != nil {
			t.Fatal(err)
		}
	}
	stream := p.get(t, "/api/v1/feed")
	all := p.until(t, "sluice_streams_open", 1)
	const one = "operation=GET /api/v1/deployments/{id}"
	want(t, all, 1, "sluice_request_duration_seconds", "operation=GET /api/v1/deployments", "status=2xx")
	want(t, all, 1, "sluice_request_duration_seconds", one, "status=2xx")
	want(t, all, 2, "sluice_request_duration_seconds", one, "status=4xx")
	want(t, all, 1, "sluice_request_duration_seconds", "operation=GET /api/v1/feed", "status=2xx")
	if err := stream.Body.Close(); err != nil {
		t.Fatal(err)
	}
	p.until(t, "sluice_streams_open", 0)
	if resp, err := http.Post(p.http.URL+"/panic", "text/plain", http.NoBody); err == nil {
		t.Errorf("a handler that panics answered %s", resp.Status)
	}
	p.until(t, "sluice_request_duration_seconds", 1, "operation=POST /panic", "status=5xx")
}

func TestMetricsNameNothing(t *testing.T) {
	p := start(t, t.TempDir(), nil)
	id := p.deploy(t, application)
	if err := p.get(t, "/api/v1/deployments?application="+application).Body.Close(); err != nil {
		t.Fatal(err)
	}
	p.decide(t, id, sluice.SignalReject)
	all := p.until(t, "sluice_deployments_ended_total", 1, "outcome=failed")
	labels := 0
	for name, family := range all {
		for _, m := range family.GetMetric() {
			for _, l := range m.GetLabel() {
				labels++
				for _, hidden := range []string{application, target, string(id), "ana", secret} {
					if strings.Contains(l.GetValue(), hidden) {
						t.Errorf("%s has the label %s=%s", name, l.GetName(), l.GetValue())
					}
				}
			}
		}
	}
	if labels < 20 {
		t.Errorf("the metrics have %d labels", labels)
	}
}

func TestStoreThatDoesNotWork(t *testing.T) {
	p := start(t, t.TempDir(), nil)
	want(t, p.scrape(t), -1, "sluice_store_errors_total")
	if _, err := p.store.Checkpoint(t.Context(), "absent"); sluice.ErrorCode(err) != sluice.NotFound {
		t.Fatal(err)
	}
	want(t, p.scrape(t), -1, "sluice_store_errors_total") // it was an answer
	if err := p.bare.Close(); err != nil {
		t.Fatal(err)
	}
	p.until(t, "sluice_feed_up", 0)
	_, err := p.store.Deployments(t.Context(), "")
	if err == nil {
		t.Fatal("a closed store works")
	}
	want(t, p.scrape(t), 1, "sluice_store_errors_total", "operation=deployments", "code="+string(sluice.ErrorCode(err)))
}
