package main

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb"
)

func open(t *testing.T) (*tsdb.DB, *httptest.Server) {
	t.Helper()
	logger := slog.New(slog.DiscardHandler)
	db, err := tsdb.Open(t.TempDir(), logger, prometheus.NewRegistry(), tsdb.DefaultOptions(), nil)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(newAPI(db, newEngine(logger)))
	t.Cleanup(func() {
		server.Close()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db, server
}

func ask(t *testing.T, server *httptest.Server, path string, values url.Values) (int, string) {
	t.Helper()
	response, err := http.Get(server.URL + path + "?" + values.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var text json.RawMessage
	if err := json.NewDecoder(response.Body).Decode(&text); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func TestQueries(t *testing.T) {
	db, server := open(t)
	at := time.Now().Truncate(time.Second)
	app := db.Appender(t.Context())
	for i := range 3 {
		_, err := app.Append(0, labels.FromStrings("__name__", "orders", "pod", "a"),
			at.Add(time.Duration(i-2)*time.Second).UnixMilli(), float64(10*i))
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
	now := at.Format(time.RFC3339)
	tests := map[string]struct {
		path   string
		values url.Values
		status int
		want   string
	}{
		"instant": {"/api/v1/query", url.Values{"query": {"sum(orders)"}, "time": {now}}, 200, `"value":[`},
		"rate": {"/api/v1/query", url.Values{"query": {"rate(orders[3s])"}, "time": {now}}, 200,
			`"metric":{"pod":"a"}`},
		"nothing": {"/api/v1/query", url.Values{"query": {"absent_metric"}, "time": {now}}, 200,
			`"resultType":"vector"`},
		"nothing is list": {"/api/v1/query", url.Values{"query": {"absent_metric"}, "time": {now}}, 200, `"result":[]`},
		"scalar":          {"/api/v1/query", url.Values{"query": {"1+1"}, "time": {now}}, 200, `"scalar"`},
		"range": {"/api/v1/query_range", url.Values{"query": {"orders"}, "end": {now}, "step": {"1"},
			"start": {at.Add(-2 * time.Second).Format(time.RFC3339)}}, 200, `"values":[`},
		"bad query": {"/api/v1/query", url.Values{"query": {"sum("}}, 400, `"errorType":"bad_data"`},
		"bad time":  {"/api/v1/query", url.Values{"query": {"1"}, "time": {"soon"}}, 400, `"errorType":"bad_data"`},
		"bad step": {"/api/v1/query_range", url.Values{"query": {"1"}, "start": {now}, "end": {now}, "step": {"0"}}, 400,
			`"errorType":"bad_data"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			status, text := ask(t, server, tt.path, tt.values)
			if status != tt.status || !strings.Contains(text, tt.want) {
				t.Errorf("%d %s, want %d with %s", status, text, tt.status, tt.want)
			}
		})
	}
}

func TestTargetsFollowTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "targets.json")
	failed := make(chan error, 1)
	found, err := watchTargets(t.Context(), path, failed)
	if err != nil {
		t.Fatal(err)
	}
	if first := <-found; len(first[job]) != 0 {
		t.Errorf("an absent file names %v", first)
	}
	text := `[{"targets":["127.0.0.1:1"],"labels":{"namespace":"production"}}]`
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	select {
	case now := <-found:
		if len(now[job]) != 1 || now[job][0].Labels["namespace"] != "production" ||
			now[job][0].Targets[0]["__address__"] != "127.0.0.1:1" {
			t.Errorf("the targets are %v", now[job])
		}
	case err := <-failed:
		t.Fatal(err)
	}
}
