package identity_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/identity"
	"github.com/sluice-cd/sluice/internal/identitytest"
)

// The API server of a cluster tells its keys only to its own accounts.
func TestAnIssuerThatAsksWhoCalls(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	w := newWorld(t, func(o *identity.Options) { o.Server.Workloads[0].TokenFile = file })
	job := map[string]any{"aud": audience, "repository": "acme/shop", "ref": "refs/heads/main"}
	w.ci.Life(48 * time.Hour)
	w.ci.SetGuard("first-token")
	_, err := w.call(w.ci.Token(job))
	wantRefused(t, err, sluice.Unavailable)
	if !strings.Contains(err.Error(), file) || !strings.Contains(sluice.ErrorHint(err), "tokenFile") {
		t.Errorf("%v (%s)", err, sluice.ErrorHint(err))
	}
	for _, text := range []string{"first-token\n", "second-token\n"} {
		writeFile(t, file, text)
		w.ci.SetGuard(strings.TrimSpace(text))
		w.ci.Rotate() // so that the keys are fetched again
		w.pass(61 * time.Minute)
		c, err := w.call(w.ci.Token(job))
		wantRoles(t, c, err, "deployer")
	}
	w.ci.SetGuard("another-token")
	w.ci.Rotate()
	w.pass(61 * time.Minute)
	_, err = w.call(w.ci.Token(job))
	wantRefused(t, err, sluice.Unavailable, "second-token")
	if !strings.Contains(sluice.ErrorHint(err), "tokenFile") {
		t.Errorf("the hint is %q", sluice.ErrorHint(err))
	}
}

// Where an issuer redirects to is not asked, so it gets no token.
func TestTheTokenForAnIssuerStaysThere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	writeFile(t, file, "secret-token")
	var asked atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Store(true) }))
	t.Cleanup(other.Close)
	issuer := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	t.Cleanup(issuer.Close)
	w := newWorld(t, func(o *identity.Options) {
		o.Server.Workloads = []config.Workload{{Name: "x", Issuer: issuer.URL, Audience: audience, TokenFile: file}}
	})
	_, err := w.call(identitytest.New(t).Token(map[string]any{"iss": issuer.URL, "aud": audience}))
	wantRefused(t, err, sluice.Unavailable, "secret-token")
	if asked.Load() {
		t.Error("the other host was asked")
	}
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
