package bootstrap

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/secret"
	"github.com/sluice-cd/sluice/internal/server"
	"github.com/sluice-cd/sluice/internal/storetest"
	"github.com/sluice-cd/sluice/internal/telemetry"
)

// found is a failure with keys of a database, after whose first line a pod speaks.
func found(t *testing.T, store sluice.Store) {
	t.Helper()
	const step = "production/after/0"
	v := &sluice.Verification{}
	v.Comparison.Collections = []sluice.CollectionComparison{{Name: "orders", MissingKeys: []string{"customer-4711"}}}
	events := []sluice.Event{
		{Kind: sluice.DeploymentStarted, Actor: &sluice.Actor{Name: "ana"}, Plan: &sluice.Plan{
			Application: "shop", Targets: []sluice.PlannedTarget{{Name: "production"}},
			Steps: []sluice.PlannedStep{{ID: step, Target: "production", Phase: sluice.PhaseAfter}},
		}},
		{Kind: sluice.StepStarting, Step: step, Progress: &sluice.Progress{}},
		{Kind: sluice.StepFailed, Step: step, Failure: &sluice.Failure{
			Code: sluice.Failed, Message: "1 document is missing, says hunter22\npod web: customer-4711",
			Result: &sluice.Result{Verification: v},
		}},
		{Kind: sluice.DeploymentEnded, Outcome: sluice.StatusFailed},
	}
	for i := range events {
		events[i].At = time.Date(2026, 3, 1, 12, 0, i, 0, time.UTC)
	}
	if err := store.Append(t.Context(), "d1", 0, events...); err != nil {
		t.Fatal(err)
	}
}

// TestNotificationsHoldNoKeys: neither the feed of receivers nor what they get has keys of databases, lines of pods or
// secrets. The metrics count what they get.
func TestNotificationsHoldNoKeys(t *testing.T) {
	bodies := make(chan string, 10)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // a part of it is no event
		bodies <- string(body)
	}))
	defer hook.Close()
	t.Setenv("HOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	store := storetest.NewMemory()
	r := new(secret.Redactor)
	r.Learn("hunter22")
	dir, err := OpenState(t.TempDir(), r)
	if err != nil {
		t.Fatal(err)
	}
	c := config.Default()
	c.Webhooks.Allow = []string{"127.0.0.1"}
	c.Server.Receivers = []config.Receiver{{
		Name: "hook", Events: sluice.NotificationKinds, Webhook: &config.HookReceiver{
			URL: hook.URL, Secret: config.Source{Env: "HOOK_SECRET"},
		},
	}}
	metrics := telemetry.NewMetrics(telemetry.Build{}, time.Now)
	i := Instance{
		Dir: dir, Config: c, Note: t.Errorf, Address: "https://sluice.example.com",
		observed: &observation{metrics: metrics, log: slog.New(slog.DiscardHandler)},
	}
	var kept sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	(&owner{store: store}).notify(ctx, i, &kept)
	found(t, store)
	var all strings.Builder
	for range 3 {
		all.WriteString(<-bodies)
	}
	cancel()
	kept.Wait()
	seen := server.New(server.Config{Store: store}).Visible(onlooker)
	for e, err := range seen.Read(t.Context(), "d1", 0) {
		if err != nil {
			t.Fatal(err)
		}
		if err := json.NewEncoder(&all).Encode(resultOf(e)); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(all.String(), "1 document is missing") {
		t.Errorf("the failure is missing in %s", all.String())
	}
	for _, hidden := range []string{"customer-4711", "hunter22"} {
		if strings.Contains(all.String(), hidden) {
			t.Errorf("%s is in %s", hidden, all.String())
		}
	}
	answer := httptest.NewRecorder()
	metrics.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, line := range []string{
		`sluice_notifications_sent_total{kind="webhook"} 3`, `sluice_notifications_skipped_total{kind="webhook"} 0`,
		`sluice_notification_lag_events{kind="webhook"} 0`,
	} {
		if !strings.Contains(answer.Body.String(), line+"\n") {
			t.Errorf("there is no %s in\n%s", line, answer.Body.String())
		}
	}
}

func resultOf(e sluice.Event) *sluice.Result {
	if e.Failure == nil {
		return nil
	}
	return e.Failure.Result
}
