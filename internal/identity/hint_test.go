package identity_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/identity"
)

// A workload cannot log in, so a hint to do so would lead nowhere.
func TestAWorkloadIsToldTheAudience(t *testing.T) {
	w := newWorld(t)
	_, err := w.call(w.ci.Token(map[string]any{"aud": "other", "repository": "acme/shop"}))
	hint := sluice.ErrorHint(err)
	if sluice.ErrorCode(err) != sluice.Unauthenticated || strings.Contains(hint, "sluice login") ||
		!strings.Contains(hint, audience) || !strings.Contains(hint, "server.workloads.ci.audience") {
		t.Errorf("%v; %s", err, hint)
	}
}

func TestADocumentThatNamesAnotherIssuer(t *testing.T) {
	const other = "https://other.example.com"
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": other, "jwks_uri": "https://other.example.com/keys"})
	}))
	defer s.Close()
	err := identity.Reach(t.Context(), config.Workload{Name: "ci", Issuer: s.URL, Audience: audience})
	if sluice.ErrorCode(err) != sluice.Unavailable {
		t.Fatal(err)
	}
	for _, part := range []string{other, s.URL, "sluice.yaml"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not name %s", err, part)
		}
	}
	if strings.Contains(err.Error(), "does not answer") {
		t.Errorf("%q, although it answers", err)
	}
}
