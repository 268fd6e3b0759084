package faulttest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/internal/identitytest"
)

const (
	markClient = "m4rker-client-5ecret"
	markCode   = "m4rker-code-5ecret"
	audience   = "https://ci.example.com"
)

// echoIssuer is an OIDC issuer that refuses every login and repeats what it was sent, also as the code of its error.
func echoIssuer(t *testing.T) *httptest.Server {
	var s *httptest.Server
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.HasPrefix(r.URL.Path, "/.well-known/") {
			fmt.Fprintf(w, `{"issuer": %q, "authorization_endpoint": %q, "token_endpoint": %q, "jwks_uri": %q}`,
				s.URL, s.URL+"/authorize", s.URL+"/token", s.URL+"/keys")
			return
		}
		_ = r.ParseForm()
		said := fmt.Sprintf("%v %q", r.Header, r.Form)
		_, secret, _ := r.BasicAuth()
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"error": %q, "error_description": %q}`, "no "+secret+" "+r.FormValue("code"), said)
	}))
	t.Cleanup(s.Close)
	return s
}

// A leakyServer is sluice serve, and all that it has answered.
type leakyServer struct {
	*leak
	*running
	address string
	token   string // of the server
}

// newLeakyServer starts a server whose people log in at the issuer, and makes a token of it as a CI run.
func newLeakyServer(t *testing.T, issuer string) *leakyServer {
	t.Helper()
	ci := identitytest.New(t)
	job := ci.Token(map[string]any{"iss": ci.URL, "sub": "ci", "aud": audience, "ref": "main"})
	l := &leak{}
	l.world = newWorld(t, fmt.Sprintf(`server:
  listen: 127.0.0.1:0
  address: http://localhost:8080
  identity: {issuer: %q, clientId: c, clientSecret: {env: MARK_CLIENT}, cliClientId: cli}
  workloads: {ci: {issuer: %q, audience: %q}}
  roles: {admin: {members: [{workload: ci, claims: {ref: main}}], grants: [{verbs: [view, deploy, administer]}]}}
`, issuer, ci.URL, audience))
	l.env = append(l.env, "MARK_CLIENT="+markClient)
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	cmd := exec.CommandContext(ctx, binary, "serve", "--state", l.state)
	cmd.Dir, cmd.Env = l.dir, l.env
	s := &leakyServer{leak: l, running: follow(t, cmd)}
	line := s.await("listening at ")
	_, at, _ := strings.Cut(line, "listening at ")
	s.address = "http://" + at
	l.env = append(l.env, "SLUICE_SERVER="+s.address, "SLUICE_TOKEN="+job)
	made := s.remote("token", "make", "robot", "--role", "admin") // says it, as it must
	s.token = strings.TrimSpace(made.stdout)
	parts := strings.Split(s.token, "_")
	if made.status != 0 || len(parts) != 3 {
		t.Fatalf("no token was made: %s", made)
	}
	l.never = append(l.never, parts[2], parts[2][:20], strings.Split(job, ".")[2])
	return s
}

// remote runs sluice on the server.
func (s *leakyServer) remote(args ...string) outcome {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir, cmd.Env = s.dir, s.env
	return s.finish(cmd)
}

// ask sends a request and keeps the answer.
func (s *leakyServer) ask(client *http.Client, method, path, token string) *http.Response {
	s.leak.t.Helper()
	r, err := http.NewRequestWithContext(s.leak.t.Context(), method, s.address+path, nil)
	if err != nil {
		s.leak.t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(r)
	if err != nil {
		s.leak.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.leak.t.Fatal(err)
	}
	answer := fmt.Sprintf("%s %v\n%s", resp.Status, resp.Header, text)
	s.leak.says = append(s.leak.says, outcome{stdout: answer})
	return resp
}

// logIn begins a login and brings back a code, which the issuer refuses.
func (s *leakyServer) logIn() {
	s.leak.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.leak.t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	to, err := s.ask(browser, "GET", "/login", "").Location()
	if err != nil {
		s.leak.t.Fatal(err)
	}
	back := url.Values{"state": {to.Query().Get("state")}, "code": {markCode}}
	if got := s.ask(browser, "GET", "/login/callback?"+back.Encode(), ""); got.StatusCode != http.StatusUnauthorized {
		s.leak.t.Errorf("the login is answered %s", got.Status)
	}
}

// TestNoSecretOfAServerComesOut uses the tokens and the client secret of a server, rightly and wrongly, and looks for
// them in every answer, page and log, in the audit and in the state directory.
func TestNoSecretOfAServerComesOut(t *testing.T) {
	t.Parallel()
	s := newLeakyServer(t, echoIssuer(t).URL)
	s.logIn()
	client := &http.Client{}
	for _, try := range []struct{ method, path, token string }{
		{"GET", "/api/v1/caller", s.token},
		{"GET", "/api/v1/caller", s.token + "x"},
		{"GET", "/api/v1/caller", s.token[len("sluice_"):]},
		{"GET", "/api/v1/deployments?application=" + s.token, ""},
		{"GET", "/api/v1/deployments?limit=" + s.token, s.token},
		{"DELETE", "/api/v1/tokens/" + s.token, s.token}, // somebody takes the token for its id
		{"GET", "/api/v1/audit", s.token},
		{"GET", "/api/v1/accounts", s.token},
		{"GET", "/api/v1/tokens", s.token},
		{"GET", "/metrics", s.token},
		{"GET", "/", s.token},
		{"GET", "/audit", s.token},
		{"GET", "/accounts", s.token},
	} {
		s.ask(client, try.method, try.path, try.token)
	}
	for _, args := range [][]string{{"audit"}, {"audit", "-o", "json"}, {"token", "list"}, {"doctor"}, {"status"}} {
		s.leak.says = append(s.leak.says, s.remote(args...))
	}
	s.leak.world.says(s.remote("audit"), 0, "authenticate", "logIn", "refuses the login")
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	out := s.end()
	s.leak.says = append(s.leak.says, out)
	if !strings.Contains(out.stdout, "/login/callback") {
		t.Errorf("the log does not have the requests: %s", out)
	}
	s.check()
}
