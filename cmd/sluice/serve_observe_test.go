package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/api"
)

// A server shows a deployment that waits in its metrics, and has exported it as a trace once it is stopped.
func TestAServerIsWatched(t *testing.T) {
	var mu sync.Mutex
	spans := map[string]int{}
	traces := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var q collector.ExportTraceServiceRequest
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = proto.Unmarshal(body, &q)
		}
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, s := range q.GetResourceSpans()[0].GetScopeSpans()[0].GetSpans() {
			spans[s.GetName()]++
		}
	}))
	defer traces.Close()
	env := append(os.Environ(), "OTEL_EXPORTER_OTLP_ENDPOINT="+traces.URL)
	url, stop, err := startServer(t.TempDir(), env, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	end := sync.OnceValue(func() error { return stop(unix.SIGTERM) })
	defer end()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, err := api.Connect(url, func(context.Context) (string, error) { return "", nil }, &http.Client{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	started, err := c.Deploy(ctx, gatedBundle())
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, ctx, c, started.ID, func(e sluice.Event) bool { return e.Kind == sluice.StepProgressed })
	awaitMetric(t, ctx, url, `sluice_deployments_waiting_for_person 1`)
	reject := sluice.Signal{Kind: sluice.SignalReject, Step: "staging/before/0", Reason: "no"}
	if err := c.Signal(ctx, started.ID, reject); err != nil {
		t.Fatal(err)
	}
	waitFor(t, ctx, c, started.ID, over)
	awaitMetric(t, ctx, url, `sluice_deployments_ended_total\{outcome="failed"\} 1`)
	if err := end(); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, name := range []string{"deployment", "target staging", "staging/before/0"} {
		if spans[name] != 1 {
			t.Errorf("the span %s came %d times: %v", name, spans[name], spans)
		}
	}
}

// awaitMetric scrapes until the metrics have the line.
func awaitMetric(t *testing.T, ctx context.Context, url, line string) {
	t.Helper()
	wanted := regexp.MustCompile(`(?m)^` + line + `$`)
	often := time.NewTicker(20 * time.Millisecond)
	defer often.Stop()
	for ; ; <-often.C {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if wanted.Match(text) {
			return
		}
	}
}
