package telemetry_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	v1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/telemetry"
)

// A collection is a collector of traces.
type collection struct {
	mu       sync.Mutex
	refuse   int // so many requests first
	asked    int
	requests []*collector.ExportTraceServiceRequest
	changed  chan struct{}
}

func collect(t *testing.T, refuse int) *collection {
	t.Helper()
	c := &collection{refuse: refuse, changed: make(chan struct{}, 100)}
	s := httptest.NewServer(c)
	t.Cleanup(s.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", s.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20collectorsecret")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")
	return c
}

func (c *collection) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	q := &collector.ExportTraceServiceRequest{}
	if err == nil {
		err = proto.Unmarshal(body, q)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	defer func() { c.changed <- struct{}{} }()
	c.asked++
	if err != nil || c.asked <= c.refuse || r.URL.Path != "/v1/traces" ||
		r.Header.Get("Authorization") != "Bearer collectorsecret" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.requests = append(c.requests, q)
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// spans returns those of all requests.
func (c *collection) spans() (all []*v1.Span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, q := range c.requests {
		for _, r := range q.GetResourceSpans() {
			for _, s := range r.GetScopeSpans() {
				all = append(all, s.GetSpans()...)
			}
		}
	}
	return all
}

// traced starts a process that exports traces. finish ends the export.
func traced(t *testing.T, dir string) (p *process, finish func()) {
	t.Helper()
	log := telemetry.NewLogger(&lines{}, true, 0)
	tracer, err := telemetry.NewTracer(t.Context(), telemetry.Build{Version: "1.2.3"}, log)
	if err != nil {
		t.Fatal(err)
	}
	p = start(t, dir, func(id sluice.DeploymentID, events []sluice.Event) {
		if events[len(events)-1].Kind == sluice.DeploymentEnded {
			tracer.Ended(id)
		}
	})
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { tracer.Run(ctx, p.store) })
	finish = sync.OnceFunc(func() { stop(); running.Wait() })
	t.Cleanup(finish)
	return p, finish
}

func attributes(list []*common.KeyValue) map[string]string {
	all := map[string]string{}
	for _, a := range list {
		all[a.GetKey()] = a.GetValue().GetStringValue()
	}
	return all
}

// Only the process that ran a deployment exports it.
func TestTraceOfADeployment(t *testing.T) {
	c := collect(t, 0)
	dir := t.TempDir()
	p, finish := traced(t, dir)
	_, finishOther := traced(t, dir)
	id := p.deploy(t, application)
	p.decide(t, id, sluice.SignalApprove)
	<-c.changed
	finish()
	finishOther()
	spans := map[string]*v1.Span{}
	for _, s := range c.spans() {
		if spans[s.GetName()] != nil {
			t.Errorf("%s was exported twice", s.GetName())
		}
		spans[s.GetName()] = s
	}
	const inTarget = "target " + target
	parents := map[string]string{
		"deployment": "", "queued": "deployment", inTarget: "deployment", string(gate): inTarget,
		target + "/apply/0": inTarget, "finish " + string(gate): inTarget, "finish " + target + "/apply/0": inTarget,
	}
	for name, parent := range parents {
		s := spans[name]
		if s == nil {
			t.Errorf("no span is named %s: %v", name, spans)
			continue
		}
		if string(s.GetParentSpanId()) != string(spans[parent].GetSpanId()) {
			t.Errorf("%s is not in %q", name, parent)
		}
		if string(s.GetTraceId()) != string(spans["deployment"].GetTraceId()) {
			t.Errorf("%s is in another trace", name)
		}
	}
	for name := range spans {
		if _, ok := parents[name]; !ok {
			t.Errorf("the span %s is not expected", name)
		}
	}
	checkTimes(t, p, id, spans)
	root := attributes(spans["deployment"].GetAttributes())
	if root["sluice.deployment"] != string(id) || root["sluice.application"] != application ||
		root["sluice.outcome"] != "succeeded" {
		t.Errorf("the deployment has %v", root)
	}
	about := attributes(c.requests[0].GetResourceSpans()[0].GetResource().GetAttributes())
	if about["service.name"] != "sluice" || about["service.version"] != "1.2.3" ||
		about["deployment.environment"] != "test" {
		t.Errorf("the resource has %v", about)
	}
}

// checkTimes compares the times of spans with those of the events.
func checkTimes(t *testing.T, p *process, id sluice.DeploymentID, spans map[string]*v1.Span) {
	t.Helper()
	at := func(name string, nanos uint64, e sluice.Event) {
		if got := time.Unix(0, int64(nanos)); !got.Equal(e.At) { //nolint:gosec // a time of today
			t.Errorf("%s has %s, the event %s", name, got, e.At)
		}
	}
	for e, err := range p.store.Read(t.Context(), id, 0) {
		if err != nil {
			t.Fatal(err)
		}
		switch e.Kind {
		case sluice.DeploymentQueued:
			at("deployment", spans["deployment"].GetStartTimeUnixNano(), e)
		case sluice.DeploymentEnded:
			at("deployment", spans["deployment"].GetEndTimeUnixNano(), e)
		case sluice.StepStarting:
			at(string(e.Step), spans[string(e.Step)].GetStartTimeUnixNano(), e)
		case sluice.StepDone:
			at(string(e.Step), spans[string(e.Step)].GetEndTimeUnixNano(), e)
		}
	}
}

// What a collector refused is exported when the process stops, at the latest. A failure is in its span.
func TestTraceIsTriedAgain(t *testing.T) {
	c := collect(t, 1)
	p, finish := traced(t, t.TempDir())
	p.decide(t, p.deploy(t, application), sluice.SignalReject)
	<-c.changed
	if n := len(c.spans()); n > 0 {
		t.Fatalf("%d spans were taken although the request was refused", n)
	}
	finish()
	failed := map[string]string{}
	for _, s := range c.spans() {
		if s.GetStatus().GetCode() == v1.Status_STATUS_CODE_ERROR {
			failed[s.GetName()] = s.GetStatus().GetMessage()
		}
	}
	if failed[string(gate)] != "rejected: so it is" || failed["deployment"] != "failed" || len(failed) != 3 {
		t.Errorf("failed: %v", failed)
	}
}

func TestTracesWanted(t *testing.T) {
	for name, c := range map[string]struct {
		env    map[string]string
		wanted bool
	}{
		"nothing is set": {nil, false},
		"an endpoint":    {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, true},
		"for traces":     {map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c"}, true},
		"disabled": {map[string]string{
			"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_SDK_DISABLED": "true"}, false},
		"no traces": {map[string]string{
			"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_TRACES_EXPORTER": "none"}, false},
	} {
		wanted, _ := telemetry.TracesWanted(func(key string) string { return c.env[key] })
		if wanted != c.wanted {
			t.Errorf("%s: %v", name, wanted)
		}
	}
}
