package prometheus_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
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
		"exec error": {"so does one that cannot be evaluated", 422,
			`{"status":"error","errorType":"execution","error":"many-to-many matching"}`, 0, sluice.Invalid, "many-to-many"},
		"unauthorized": {"a refused login cannot heal", 401, `no`, 0, sluice.Invalid, "401"},
		"unavailable":  {"an outage may heal", 503, `upstream connect error`, 0, sluice.Unavailable, "503"},
		"crash": {"so may a defect of the server", 500, `{"status":"error","errorType":"internal","error":"oops"}`, 0,
			sluice.Unavailable, ""},
		"garbage": {"what is no API answer is no value", 200, `<html>`, 0, sluice.Unavailable, ""},
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

func TestMissingCredentialIsNotAnOutage(t *testing.T) {
	m, err := prometheus.New("http://127.0.0.1:1", prometheus.Options{Bearer: func(context.Context) (string, error) {
		return "", sluice.Errorf(sluice.NotFound, "there is no secret %q", "token")
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Measure(t.Context(), "up", at); sluice.ErrorCode(err) != sluice.Invalid ||
		!strings.Contains(err.Error(), "no secret") {
		t.Errorf("got %v", err)
	}
}

func TestNewRefusesWhatIsNoURL(t *testing.T) {
	for _, address := range []string{"", "prometheus:9090", "ftp://prometheus", "http://", "://"} {
		if _, err := prometheus.New(address, prometheus.Options{}); sluice.ErrorCode(err) != sluice.Invalid {
			t.Errorf("%q gave %v", address, err)
		}
	}
}
