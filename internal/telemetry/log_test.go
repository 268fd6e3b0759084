package telemetry_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/telemetry"
)

// parsed returns the lines of a log with the message.
func (l *lines) parsed(t *testing.T, message string) (found []map[string]any) {
	t.Helper()
	for line := range strings.Lines(l.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("%q is not JSON: %v", line, err)
		}
		if fields["msg"] == message {
			found = append(found, fields)
		}
	}
	return found
}

func TestLogOfRequests(t *testing.T) {
	p := start(t, t.TempDir(), nil)
	id := p.deploy(t, application)
	const hidden = "?access_token=querysecret&application=x"
	body := strings.NewReader(`{"file": "bodysecret"}`)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
		p.http.URL+"/api/v1/deployments/pathsecret/approve"+hidden, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+secret+"wrong")
	refused, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	shown := p.get(t, "/api/v1/deployments/"+string(id)+hidden)
	for _, resp := range []*http.Response{refused, shown} {
		if err := resp.Body.Close(); err != nil {
			t.Fatal(err)
		}
	}
	p.until(t, "sluice_request_duration_seconds", 1, "operation=GET /api/v1/deployments/{id}")
	p.http.Close() // a request is logged after its answer
	all := p.log.parsed(t, "request")
	of := func(resp *http.Response) map[string]any {
		i := slices.IndexFunc(all, func(f map[string]any) bool {
			return f["request"] == resp.Header.Get(telemetry.RequestID)
		})
		if i < 0 {
			t.Fatalf("no line has the request id %q: %v", resp.Header.Get(telemetry.RequestID), all)
		}
		return all[i]
	}
	line := of(shown)
	if line["method"] != "GET" || line["path"] != "/api/v1/deployments/{id}" || line["status"] != 200. ||
		line["caller"] != "ana" || line["deployment"] != string(id) || line["seconds"].(float64) <= 0 {
		t.Errorf("the log has %v", line)
	}
	if line := of(refused); line["status"] != float64(refused.StatusCode) || line["caller"] != "" {
		t.Errorf("the log has %v of a request that was refused with %s", line, refused.Status)
	}
	for _, s := range []string{secret, "sluice_t1", "querysecret", "pathsecret", "bodysecret", "/metrics"} {
		if strings.Contains(p.log.String(), s) {
			t.Errorf("the log has %q:\n%s", s, p.log)
		}
	}
}

func TestLogOfDeployments(t *testing.T) {
	p := start(t, t.TempDir(), nil)
	id := p.deploy(t, application)
	p.decide(t, id, sluice.SignalReject)
	for message, wanted := range map[string]map[string]any{
		"deploymentQueued": {"application": application, "level": "INFO"},
		"signalReceived":   {"signal": "reject", "by": "ana", "step": string(gate)},
		"stepFailed":       {"code": "failed", "error": "rejected: so it is", "step": string(gate), "level": "WARN"},
		"deploymentEnded":  {"outcome": "failed"},
	} {
		found := p.log.parsed(t, message)
		if len(found) != 1 || found[0]["deployment"] != string(id) {
			t.Errorf("%s: %v", message, found)
			continue
		}
		for key, v := range wanted {
			if found[0][key] != v {
				t.Errorf("%s has %s %v, want %v", message, key, found[0][key], v)
			}
		}
	}
}
