package prometheus_test

import (
	"context"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/prometheus"
)

var at = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func vector(elements ...string) string {
	return `{"status":"success","data":{"resultType":"vector","result":[` + strings.Join(elements, ",") + `]}}`
}

func element(value string) string {
	return `{"metric":{"job":"web"},"value":[1767323045,"` + value + `"]}`
}

func TestMeasure(t *testing.T) {
	for name, test := range map[string]struct {
		reason string
		status int
		body   string
		want   float64
		code   sluice.Code
		says   string
	}{
		"one element": {"a vector of one is its value", 200, vector(element("0.25")), 0.25, "", ""},
		"scalar": {"a scalar is its value", 200,
			`{"status":"success","data":{"resultType":"scalar","result":[1767323045,"7"]}}`, 7, "", ""},
		"warnings": {"a warning does not take the value away", 200,
			`{"status":"success","warnings":["one store is slow"],"data":{"resultType":"vector","result":[` + element("3") +
				`]}}`, 3, "", ""},
		"empty":    {"no data is told from zero", 200, vector(), 0, sluice.NotFound, "no data"},
		"NaN":      {"not a number is no value", 200, vector(element("NaN")), 0, sluice.NotFound, "NaN"},
		"infinite": {"infinity is no value", 200, vector(element("+Inf")), 0, sluice.NotFound, "+Inf"},
		"several": {"several values are an error of the query", 200, vector(element("1"), element("2")), 0,
			sluice.Invalid, "2 values"},
		"matrix": {"a range is an error of the query", 200,
			`{"status":"success","data":{"resultType":"matrix","result":[]}}`, 0, sluice.Invalid, "matrix"},
		"parse error": {"a refused query says why", 400,
			`{"status":"error","errorType":"bad_data","error":"1:5: parse error: unexpected end"}`, 0, sluice.Invalid,
			"1:5: parse error"},
		"histogram": {"a histogram is an error of the query", 200, vector(
			`{"metric":{},"histogram":[1767323045,{"count":"3","sum":"9","buckets":[[0,"1","2","3"]]}]}`), 0,
			sluice.Invalid, "histogram"},
		"exec error": {"one that cannot be evaluated may heal: its store may be away", 422,
			`{"status":"error","errorType":"execution","error":"proxy Series(): connection refused"}`, 0, sluice.Unavailable,
			"cannot evaluate the query: proxy Series(): connection refused"},
		"another 422": {"as another server writes it", 422, `{"status":"error","errorType":"422","error":"oops"}`, 0,
			sluice.Unavailable, "oops"},
		"unauthorized": {"a refused login may heal", 401, `no`, 0, sluice.Unavailable, "answers 401: no"},
		"forbidden":    {"so may a refused right", 403, `no`, 0, sluice.Unavailable, "answers 403"},
		"not found":    {"a path may come back", 404, `404 page not found`, 0, sluice.Unavailable, "answers 404: 404 page"},
		"slow":         {"a slow server is away", 408, ``, 0, sluice.Unavailable, "answers 408"},
		"busy": {"a busy one too", 429, "too many\noutstanding requests", 0, sluice.Unavailable,
			"answers 429: too many outstanding"},
		"unavailable": {"an outage may heal", 503, `upstream connect error`, 0, sluice.Unavailable, "answers 503: upstream"},
		"crash": {"so may a defect of the server", 500, `{"status":"error","errorType":"internal","error":"oops"}`, 0,
			sluice.Unavailable, "answers 500"},
		"no parse error": {"a 400 of a proxy says nothing about the query", 400, `<html>bad request`, 0, sluice.Unavailable,
			"does not answer as Prometheus does"},
		"another 400": {"nor does another kind of error", 400,
			`{"status":"error","errorType":"bad_gateway","error":"oops"}`, 0, sluice.Unavailable, "oops"},
		"garbage": {"what is no API answer is no value", 200, `<html>`, 0, sluice.Unavailable,
			"does not answer as Prometheus"},
		"truncated":  {"nor is half of one", 200, vector(element("1"))[:60], 0, sluice.Unavailable, "does not answer as"},
		"empty body": {"nor is nothing", 200, ``, 0, sluice.Unavailable, "does not answer as"},
		"no data":    {"nor is an answer without a result", 200, `{"status":"success"}`, 0, sluice.Unavailable, ""},
		"other JSON": {"nor is other JSON", 200, `[1, 2]`, 0, sluice.Unavailable, "does not answer as"},
		"no number":  {"nor is a value that is none", 200, vector(element("many")), 0, sluice.Unavailable, ""},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.FormValue("query") != "up{job=\"web\"}" || r.FormValue("time") != "1767323045" {
					t.Errorf("asked %q at %q", r.FormValue("query"), r.FormValue("time"))
				}
				w.WriteHeader(test.status)
				io.WriteString(w, test.body)
			}))
			defer server.Close()
			m, err := prometheus.New(server.URL, prometheus.Options{})
			if err != nil {
				t.Fatal(err)
			}
			got, err := m.Measure(t.Context(), `up{job="web"}`, at)
			if sluice.ErrorCode(err) != test.code || got != test.want {
				t.Fatalf("%s: got %v, %v; want %v and code %q", test.reason, got, err, test.want, test.code)
			}
			if err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("%q does not say %q", err, test.says)
			}
		})
	}
}

func TestAway(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	m, err := prometheus.New(server.URL, prometheus.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Measure(t.Context(), "up", at); sluice.ErrorCode(err) != sluice.Unavailable ||
		sluice.ErrorHint(err) == "" {
		t.Errorf("a refused connection gave %v", err)
	}
}

func TestTooSlow(t *testing.T) {
	gone := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-gone }))
	defer server.Close()
	defer close(gone)
	m, err := prometheus.New(server.URL, prometheus.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := m.Measure(ctx, "up", at); sluice.ErrorCode(err) != sluice.Unavailable || ctx.Err() == nil {
		t.Errorf("a server that hangs gave %v", err)
	}
}

func TestCredentials(t *testing.T) {
	secret := func(s string) func(context.Context) (string, error) {
		return func(context.Context) (string, error) { return s, nil }
	}
	for name, test := range map[string]struct {
		options prometheus.Options
		want    string
	}{
		"none":     {prometheus.Options{}, ""},
		"password": {prometheus.Options{Username: "me", Password: secret("pass")}, "Basic bWU6cGFzcw=="},
		"bearer":   {prometheus.Options{Bearer: secret("token")}, "Bearer token"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if got := r.Header.Get("Authorization"); got != test.want {
					t.Errorf("authorized with %q, want %q", got, test.want)
				}
				io.WriteString(w, vector(element("1")))
			}))
			defer server.Close()
			m, err := prometheus.New(server.URL, test.options)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := m.Measure(t.Context(), "up", at); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// A credential's file may be replaced at this moment.
func TestMissingCredentialMayComeBack(t *testing.T) {
	m, err := prometheus.New("http://127.0.0.1:1", prometheus.Options{Bearer: func(context.Context) (string, error) {
		return "", sluice.Errorf(sluice.NotFound, "there is no secret %q", "token")
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Measure(t.Context(), "up", at); sluice.ErrorCode(err) != sluice.Unavailable ||
		!strings.Contains(err.Error(), "no secret") {
		t.Errorf("got %v", err)
	}
}

func TestRedirectKeepsTheQueryAndHidesCredentials(t *testing.T) {
	secret := func(context.Context) (string, error) { return "hush", nil }
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Authorization") + r.Header.Get("Referer"); got != "" {
			t.Errorf("the other host got %q", got)
		}
		if r.FormValue("query") != "up" {
			t.Errorf("the other host was asked %q", r.FormValue("query"))
		}
		io.WriteString(w, vector(element("1")))
	}))
	defer elsewhere.Close()
	for status, says := range map[int]string{301: "lose the", 302: "lose the", 303: "lose the", 307: "", 308: ""} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+r.URL.Path, status)
		}))
		defer server.Close()
		m, err := prometheus.New(server.URL, prometheus.Options{Bearer: secret})
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.Measure(t.Context(), "up", at)
		if says == "" && (err != nil || got != 1) {
			t.Errorf("%d gave %v, %v", status, got, err)
		}
		if says != "" && (sluice.ErrorCode(err) != sluice.Unavailable || !strings.Contains(err.Error(), says)) {
			t.Errorf("%d gave %v, want it to say %q", status, err, says)
		}
	}
}

func TestPrivateAuthority(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, vector(element("1")))
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	m, err := prometheus.New(server.URL, prometheus.Options{CAFile: file})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ content, says string }{
		{"", "holds no certificate"},
		{string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})), ""},
	} {
		if err := os.WriteFile(file, []byte(step.content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := m.Measure(t.Context(), "up", at)
		if (err == nil) != (step.says == "") || err != nil && (!strings.Contains(err.Error(), step.says) ||
			sluice.ErrorCode(err) != sluice.Unavailable) {
			t.Errorf("got %v, want it to say %q", err, step.says)
		}
	}
	m, err = prometheus.New(server.URL, prometheus.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Measure(t.Context(), "up", at); sluice.ErrorCode(err) != sluice.Unavailable ||
		!strings.Contains(err.Error(), "unknown authority") || !strings.Contains(sluice.ErrorHint(err), "caFile") {
		t.Errorf("got %v (%s)", err, sluice.ErrorHint(err))
	}
}

func TestNewRefusesWhatIsNoURL(t *testing.T) {
	for _, address := range []string{"", "prometheus:9090", "ftp://prometheus", "http://", "://"} {
		if _, err := prometheus.New(address, prometheus.Options{}); sluice.ErrorCode(err) != sluice.Invalid {
			t.Errorf("%q gave %v", address, err)
		}
	}
}
