package api_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/api"
)

// An attempt is a request to one operation, and the verbs of which one lets it pass. Every role of the test may view
// the application, because nothing is found without that.
type attempt struct {
	path string
	body any
	may  []access.Verb
}

var everybody = access.Verbs

// attempts are by operation. A path names the deployment ID, whose gate waits.
func attempts() map[string]attempt {
	signal := func(kind string) api.SignalRequest { return api.SignalRequest{Kind: kind, Step: gate} }
	deploy, administer := []access.Verb{access.Deploy}, []access.Verb{access.Administer}
	return map[string]attempt{
		"list-deployments": {"GET /deployments", nil, everybody},
		"get-deployment":   {"GET /deployments/ID", nil, everybody},
		"list-events":      {"GET /deployments/ID/events", nil, everybody},
		"watch":            {"GET /deployments/ID/watch", nil, everybody},
		"get-report":       {"GET /deployments/ID/report?step=staging/before/0", nil, []access.Verb{access.ReadReports}},
		"deploy":           {"POST /deployments", wire(bundle("shop")), deploy},
		"retry":            {"POST /deployments/ENDED/retry", nil, deploy},
		"signal":           {"POST /deployments/ID/signals", signal("approve"), []access.Verb{access.Approve}},
		"reopen":           {"POST /deployments/ID/reopening", api.Reason{}, []access.Verb{access.RollBack}},
		"validate":         {"POST /validations", wire(bundle("shop")), deploy},
		"plan":             {"POST /plans", wire(bundle("shop")), deploy},
		"examine":          {"POST /diagnoses", wire(bundle("shop")), deploy},
		"plan-rollback":    {"POST /rollbacks/plan", api.Rollback{Deployment: "ID"}, everybody},
		"roll-back":        {"POST /rollbacks", api.Rollback{Deployment: "ID"}, []access.Verb{access.RollBack}},
		"get-history":      {"GET /history", nil, everybody},
		"list-checkpoints": {"GET /checkpoints", nil, everybody},
		"get-checkpoint":   {"GET /checkpoints/c1", nil, everybody},
		"keep-checkpoint":  {"PATCH /checkpoints/c1", api.Keep{}, []access.Verb{access.RestoreData}},
		"delete-checkpoint": {"DELETE /checkpoints/c1", nil,
			[]access.Verb{access.RestoreData}},
		"plan-restore": {"POST /checkpoints/c1/restore/plan", api.Restore{}, []access.Verb{access.RestoreData}},
		"restore":      {"POST /checkpoints/c1/restore", api.Restore{}, []access.Verb{access.RestoreData}},
		"verify-checkpoint": {"POST /checkpoints/c1/verification", nil,
			[]access.Verb{access.RestoreData}},
		"list-branches": {"GET /branches", nil, everybody},
		"get-branch":    {"GET /branches/cluster01/dev", nil, everybody},
		"make-branch":   {"POST /branches", api.BranchRequest{Checkpoint: "c1"}, []access.Verb{access.RestoreData}},
		"extend-branch": {"PATCH /branches/cluster01/dev", api.Extension{}, []access.Verb{access.RestoreData}},
		"delete-branch": {"DELETE /branches/cluster01/dev", nil, []access.Verb{access.RestoreData}},
		"reap":          {"POST /reaping", nil, administer},
		"read-pod":      {"GET /pods/shop/web-0/log?account=cluster01", nil, []access.Verb{access.ReadReports}},
		"follow-pod":    {"GET /pods/shop/web-0/log/follow", nil, []access.Verb{access.ReadReports}},
		"get-newest":    {"GET /feed/newest", nil, everybody},
		"follow-feed":   {"GET /feed", nil, everybody},
		"get-caller":    {"GET /caller", nil, everybody},
		"list-accounts": {"GET /accounts", nil, administer},
		"list-audit":    {"GET /audit", nil, administer},
		"make-token":    {"POST /tokens", api.TokenRequest{Name: "ci", Roles: []string{"x"}}, administer},
		"list-tokens":   {"GET /tokens", nil, administer},
		"delete-token":  {"DELETE /tokens/t1", nil, administer},
		"get-identity":  {"GET /identity", nil, nil},
	}
}

func TestEveryOperationAsksForItsVerb(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		for _, id := range w.operations(t) {
			if _, known := attempts()[id]; !known {
				t.Errorf("operation %s is not tried here", id)
			}
		}
		running, ended := "", ""
		for id, a := range attempts() {
			if id == "get-identity" {
				if status, _ := w.try(t, "", a, "", ""); status != http.StatusOK {
					t.Errorf("%s without a token: %d", id, status)
				}
				continue
			}
			if status, _ := w.try(t, "", a, "x", "x"); status != http.StatusUnauthorized {
				t.Errorf("%s without a token: %d", id, status)
			}
			for _, verb := range access.Verbs {
				if running == "" {
					running, ended = w.fresh(t)
				}
				status, text := w.try(t, "only-"+string(verb), a, running, ended)
				allowed := slices.Contains(a.may, verb)
				if denied := status == http.StatusForbidden; denied == allowed {
					t.Errorf("%s with %s: %d %s; allowed should be %t", id, verb, status, text, allowed)
				}
				if status >= http.StatusInternalServerError && !strings.Contains(text, "does not describe the dataset") {
					t.Errorf("%s with %s: %d %s", id, verb, status, text)
				}
				if !strings.HasPrefix(a.path, "GET") && allowed {
					running = "" // it may have ended
				}
			}
		}
	})
}

// operations lists the operations that the API describes.
func (w *world) operations(t *testing.T) (all []string) {
	t.Helper()
	resp, err := http.Get(w.http.URL + api.Prefix + "/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var document struct {
		OpenAPI string `json:"openapi"`
		Paths   map[string]map[string]struct {
			OperationID string `json:"operationId"`
		} `json:"paths"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&document); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(document.OpenAPI, "3.1") || len(document.Paths) < 15 {
		t.Fatalf("OpenAPI %q with %d paths", document.OpenAPI, len(document.Paths))
	}
	for _, methods := range document.Paths {
		for _, op := range methods {
			all = append(all, op.OperationID)
		}
	}
	return all
}

// fresh ends what runs and returns a deployment whose gate waits, and one that was rejected.
func (w *world) fresh(t *testing.T) (running, ended string) {
	t.Helper()
	ctx := t.Context()
	list, err := w.store.Unended(ctx)
	if err != nil {
		t.Fatal(err)
	}
	root := w.as(t, "root")
	for _, id := range list {
		w.reject(t, root, id)
	}
	first := w.waiting(t, "shop")
	w.reject(t, root, first)
	second := w.waiting(t, "shop")
	checkpoint := sluice.Checkpoint{ID: "c1", Application: "shop", Deployment: first, Target: "staging"}
	if err := w.store.PutCheckpoint(ctx, checkpoint); err != nil {
		t.Fatal(err)
	}
	w.copies.branch(t, "shop", "dev")
	return string(second), string(first)
}

func (w *world) reject(t *testing.T, root *api.Client, id sluice.DeploymentID) {
	t.Helper()
	err := root.Signal(t.Context(), id, sluice.Signal{Kind: sluice.SignalCancel})
	if err != nil && sluice.ErrorCode(err) != sluice.Conflict {
		t.Fatal(err)
	}
	w.until(t, id, ended)
}

// try sends a request and returns the status and the beginning of the answer. A stream is left at once.
func (w *world) try(t *testing.T, token string, a attempt, running, ended string) (int, string) {
	t.Helper()
	method, path, _ := strings.Cut(a.path, " ")
	fill := strings.NewReplacer("ENDED", ended, "ID", running)
	var body io.Reader
	if a.body != nil {
		text, err := json.Marshal(a.body)
		if err != nil {
			t.Fatal(err)
		}
		body = strings.NewReader(strings.ReplaceAll(string(text), `"ID"`, `"`+running+`"`))
	}
	req, err := http.NewRequestWithContext(t.Context(), method, w.http.URL+api.Prefix+fill.Replace(path), body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		return resp.StatusCode, ""
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, 500))
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(bytes.TrimSpace(text))
}
