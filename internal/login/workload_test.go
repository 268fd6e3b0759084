package login_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
)

const server = "https://sluice.example.com"

func TestTokensOfTheEnvironment(t *testing.T) {
	w := newWorld(t)
	file := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	wantToken := func(want string) {
		t.Helper()
		if got, err := w.Token(t.Context(), server); err != nil || got != want {
			t.Errorf("the token is %q, %v; want %q", got, err, want)
		}
		w.wantKnown(t, want)
	}
	w.env["SLUICE_TOKEN_FILE"] = file
	_, err := w.Token(t.Context(), server)
	w.wantRefused(t, err, sluice.Unauthenticated)
	write("\n")
	_, err = w.Token(t.Context(), server)
	w.wantRefused(t, err, sluice.Unauthenticated)
	write("first-5ecret\n")
	wantToken("first-5ecret")
	write("second-5ecret") // Kubernetes renews it
	wantToken("second-5ecret")
	w.env["SLUICE_TOKEN"] = " sluice_id_5ecret\n"
	wantToken("sluice_id_5ecret")
}

// github is what a runner of GitHub offers to jobs.
func github(t *testing.T, w *world) (asked *[]string) {
	asked = new([]string)
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer runner-5ecret" || r.FormValue("api-version") != "2.0" {
			http.Error(rw, "runner-5ecret is needed", http.StatusUnauthorized)
			return
		}
		audience := r.FormValue("audience")
		*asked = append(*asked, audience)
		_ = json.NewEncoder(rw).Encode(map[string]string{"value": w.issuer.Token(map[string]any{"aud": audience})})
	}))
	t.Cleanup(s.Close)
	w.env["ACTIONS_ID_TOKEN_REQUEST_URL"] = s.URL + "/token?api-version=2.0"
	w.env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = "runner-5ecret"
	return asked
}

func TestAJobOnGitHub(t *testing.T) {
	w := newWorld(t)
	asked := github(t, w)
	get := func(server string) string {
		t.Helper()
		token, err := w.Token(t.Context(), server)
		if err != nil {
			t.Fatal(err)
		}
		w.wantKnown(t, token)
		return token
	}
	first := get(server)
	if get(server+"/") != first || len(*asked) != 1 || (*asked)[0] != server {
		t.Errorf("asked for %q", *asked)
	}
	w.wantKnown(t, "runner-5ecret")
	// The audience is the server that the job calls, whatever that server says.
	get(w.server.URL)
	if (*asked)[1] != w.server.URL {
		t.Errorf("asked for %q", *asked)
	}
	w.later.Add(int64(4*time.Minute + 30*time.Second))
	w.issuer.Life(time.Hour)
	if get(server) == first {
		t.Error("a token that is about to expire is used on")
	}
	w.env["SLUICE_AUDIENCE"] = "sluice"
	get(server)
	if (*asked)[3] != "sluice" {
		t.Errorf("asked for %q", *asked)
	}
}

func TestAJobOnGitHubThatGetsNone(t *testing.T) {
	w := newWorld(t)
	github(t, w)
	w.env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = "wrong-5ecret"
	_, err := w.Token(t.Context(), server)
	w.wantRefused(t, err, sluice.Unavailable)
	w.env["ACTIONS_ID_TOKEN_REQUEST_URL"] = "http://github.example.com/token"
	if _, err = w.Token(t.Context(), server); sluice.ErrorCode(err) != sluice.Invalid {
		t.Errorf("%v, want invalid", err)
	}
}
