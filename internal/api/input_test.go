package api_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/internal/api"
	"github.com/sluice-cd/sluice/internal/service"
)

func TestBadInputIsRefused(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		tests := map[string]struct {
			files  map[string][]byte
			file   string
			detail string
		}{
			"a path outside":           {map[string][]byte{"../../etc/x": {}}, "", "has a file outside of it"},
			"an absolute path":         {map[string][]byte{"/etc/x": {}}, "", "has a file outside of it"},
			"a path that is not clean": {map[string][]byte{"a/../b": {}}, "", "has a file outside of it"},
			"a backslash":              {map[string][]byte{`..\x`: {}}, "", "has a file outside of it"},
			"no deploy file":           {map[string][]byte{"a": {}}, "b", `has no file "b"`},
			"a file as a directory": {map[string][]byte{"a": {}, "a/b": {}, "d": {}}, "d",
				`"a/b" of the bundle cannot be written`},
			"a manifest outside": {map[string][]byte{"d": []byte(strings.Replace(string(bundle("shop").Files["deploy.yaml"]),
				"manifests/config.yaml", "../../secret.yaml", 1))}, "d", "outside"},
		}
		for name, c := range tests {
			b := service.Bundle{File: c.file, Files: c.files}
			status, text := w.try(t, "root", attempt{path: "POST /deployments", body: wire(b)}, "", "")
			if status != http.StatusBadRequest || !strings.Contains(text, strings.ReplaceAll(c.detail, `"`, `\"`)) {
				t.Errorf("%s: %d %s", name, status, text)
			}
			if strings.Contains(text, os.TempDir()) {
				t.Errorf("%s: the answer names a directory of the server: %s", name, text)
			}
		}
		if list, err := w.store.Deployments(t.Context(), ""); err != nil || len(list) > 0 {
			t.Errorf("something was deployed: %v, %v", list, err)
		}
	})
}

// endless is a body without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}

func TestRequestIsBounded(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		body := io.MultiReader(strings.NewReader(`{"file":"d","files":{"d":"`), io.LimitReader(endless{}, 1<<30))
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.http.URL+api.Prefix+"/deployments", body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer root")
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return // the server closed the connection while the request was being sent
		}
		defer resp.Body.Close()
		var p api.Problem
		if err := json.NewDecoder(resp.Body).Decode(&p); err != nil || p.Code != "invalid" {
			t.Errorf("a bundle of 1 GB: %d %+v, %v", resp.StatusCode, p, err)
		}
	})
}

func FuzzRead(f *testing.F) {
	good, err := json.Marshal(wire(bundle("shop")))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"file":"d","files":{"../d":"eA=="}}`))
	f.Add([]byte(`{"file":"d","files":{"d":"dmVyc2lvbjogdjE="},"targets":["x"],"context":{"a":"b"}}`))
	w := newWorld(f, openStore(f))
	f.Fuzz(func(t *testing.T, body []byte) {
		req := httptest.NewRequest(http.MethodPost, api.Prefix+"/plans?offline=true", bytes.NewReader(body))
		req.Header.Set("Authorization", "Bearer root")
		req.Header.Set("Content-Type", "application/json")
		answer := httptest.NewRecorder()
		w.http.Config.Handler.ServeHTTP(answer, req)
		if answer.Code >= http.StatusInternalServerError || !json.Valid(answer.Body.Bytes()) {
			t.Errorf("%d %s", answer.Code, answer.Body)
		}
	})
}
