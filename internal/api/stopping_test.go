package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/api"
)

// A server that stops cancels the requests that it has not answered. The client tries again at the next server.
func TestARequestThatTheServerCancelledIsUnavailable(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r := httptest.NewRequest(http.MethodGet, "/api/v1/deployments", nil).WithContext(ctx)
		r.Header.Set("Authorization", "Bearer ana")
		answer := httptest.NewRecorder()
		w.http.Config.Handler.ServeHTTP(answer, r)
		var p api.Problem
		if err := json.Unmarshal(answer.Body.Bytes(), &p); err != nil {
			t.Fatal(err)
		}
		if answer.Code != http.StatusServiceUnavailable || p.Code != sluice.Unavailable {
			t.Errorf("%d: %+v", answer.Code, p)
		}
	})
}
