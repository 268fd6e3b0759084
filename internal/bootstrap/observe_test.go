package bootstrap

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/secret"
	"github.com/sluice-cd/sluice/internal/telemetry"
)

// served runs a server and returns its address, and what it has logged once it is stopped.
func served(t *testing.T) (address string, stop func() string) {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	r := new(secret.Redactor)
	dir, err := OpenState(filepath.Join(t.TempDir(), "state"), r)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	listening, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		i := Instance{Dir: dir, Config: config.Default(), Log: r.JSONOutput(file), Note: t.Logf}
		ended <- Serve(ctx, i, Serving{
			Listen: "127.0.0.1:0", JSON: true, Listening: func(address, _ string) { listening <- address },
		})
	}()
	select {
	case address = <-listening:
	case err := <-ended:
		t.Fatal(err)
	}
	return address, func() string {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		text, err := os.ReadFile(file.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
}

// The collector's credential is a secret, and what a collector says may repeat it.
func TestAServerIsObserved(t *testing.T) {
	const credential = "collectorsecret0815"
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20"+credential)
	address, stop := served(t)
	for _, path := range []string{"/healthz", "/metrics", "/api/v1/deployments?token=sluice_t1_querysecret", "/"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer sluice_t1_headersecret")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode >= 300 || resp.Header.Get(telemetry.RequestID) == "" {
			t.Errorf("%s: %s %v", path, resp.Status, resp.Header)
		}
		if err := resp.Body.Close(); err != nil {
			t.Fatal(err)
		}
	}
	text, paths := stop(), map[string]int{}
	for line := range strings.Lines(text) {
		var f struct{ Msg, Path string }
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Errorf("%q is not JSON: %v", line, err)
		}
		if f.Msg == "request" {
			paths[f.Path]++
		}
	}
	if len(paths) != 2 || paths["/api/v1/deployments"] != 1 || paths["/{$}"] != 1 {
		t.Errorf("requests of these paths are logged: %v", paths)
	}
	for _, s := range []string{"sluice_t1", "querysecret", "headersecret", credential} {
		if strings.Contains(text, s) {
			t.Errorf("the log has %s:\n%s", s, text)
		}
	}
}

func TestTheLogIsRedacted(t *testing.T) {
	const credential = "collectorsecret0815"
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20"+credential)
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r := new(secret.Redactor)
	i := Instance{Dir: StateDir{redactor: r}, Log: r.JSONOutput(file)}
	if err := i.observe(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	i.Note("warning: the collector says %q", credential)
	text, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	var f struct{ Level, Msg string }
	if err := json.Unmarshal(text, &f); err != nil || f.Level != "WARN" ||
		f.Msg != `the collector says "`+secret.Redacted+`"` {
		t.Errorf("%s %v", text, err)
	}
}

func TestMetricsNeedARole(t *testing.T) {
	o := &observation{metrics: telemetry.NewMetrics(telemetry.Build{}, time.Now)}
	for name, c := range map[string]struct {
		caller access.Caller
		err    error
		status int
	}{
		"nobody":       {err: sluice.Errorf(sluice.Unauthenticated, "nobody"), status: http.StatusUnauthorized},
		"without role": {caller: access.Caller{Actor: sluice.Actor{Name: "ana"}}, status: http.StatusForbidden},
		"with a role": {caller: access.Caller{Grants: []access.Grant{{Applications: []string{"none"}}}},
			status: http.StatusOK},
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		o.handler(func(*http.Request) (access.Caller, error) { return c.caller, c.err }).ServeHTTP(w, r)
		if w.Code != c.status || strings.Contains(w.Body.String(), "go_goroutines") != (c.status == http.StatusOK) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}
