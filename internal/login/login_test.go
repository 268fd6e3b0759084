package login_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/identity"
	"github.com/sluice-cd/sluice/internal/identitytest"
	"github.com/sluice-cd/sluice/internal/login"
	"github.com/sluice-cd/sluice/internal/storetest"
)

// A world is a server that proves its callers, and a person's machine.
type world struct {
	*login.Credentials
	issuer *identitytest.Issuer
	server *httptest.Server
	auth   *identity.Authenticator
	later  atomic.Int64 // by how much the machine's clock is ahead
	env    map[string]string

	mu      sync.Mutex
	learned []string
}

func newWorld(t *testing.T) *world {
	w := &world{issuer: identitytest.New(t), env: map[string]string{}}
	w.server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path != login.IdentityPath {
			http.NotFound(rw, r)
			return
		}
		_ = json.NewEncoder(rw).Encode(w.auth.Discovery())
	}))
	t.Cleanup(w.server.Close)
	w.auth = identity.New(identity.Options{
		Server: config.Server{
			Address: w.server.URL,
			Identity: &config.Identity{
				Issuer: w.issuer.URL, ClientID: "web", CLIClientID: identitytest.ClientID, UserClaim: config.ClaimEmail,
				Scopes: []string{"email"},
			},
			Roles: []access.Role{{Name: "user", Members: []access.Member{{User: "*@example.com"}}}},
		},
		Tokens: storetest.NewMemory(), Audit: storetest.NewMemory(), Now: time.Now,
		Key: func(purpose string) []byte { sum := sha256.Sum256([]byte(purpose)); return sum[:] },
	})
	w.Credentials = w.machine(filepath.Join(t.TempDir(), "config", "credentials.json"))
	w.issuer.LogIn(map[string]any{"email": "ana@example.com", "email_verified": true})
	return w
}

// machine returns credentials as another process of the person has them.
func (w *world) machine(file string) *login.Credentials {
	return &login.Credentials{
		File: file, Getenv: func(name string) string { return w.env[name] },
		Now: func() time.Time { return time.Now().Add(time.Duration(w.later.Load())) },
		Learn: func(secret string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.learned = append(w.learned, secret)
		},
	}
}

// wantRefused fails the test unless the error has the code and a hint, and holds nothing that was learned.
func (w *world) wantRefused(t *testing.T, err error, code sluice.Code) {
	t.Helper()
	if sluice.ErrorCode(err) != code || sluice.ErrorHint(err) == "" {
		t.Errorf("%v (%s, hint %q), want %s with a hint", err, sluice.ErrorCode(err), sluice.ErrorHint(err), code)
	}
	for _, secret := range w.learned {
		if text := fmt.Sprint(err, sluice.ErrorHint(err)); secret != "" && strings.Contains(text, secret) {
			t.Errorf("the error holds a secret: %s", text)
		}
	}
}

// wantKnown fails the test unless the redactor knows the secret.
func (w *world) wantKnown(t *testing.T, secret string) {
	t.Helper()
	for _, s := range w.learned {
		if s == secret {
			return
		}
	}
	t.Errorf("nobody was told that %.40s is a secret", secret)
}

// logIn logs the person in.
func (w *world) logIn(t *testing.T) {
	t.Helper()
	err := w.Login(t.Context(), w.server.URL+"/", func(p login.Prompt) {
		if p.URL != w.issuer.URL+"/activate" || p.Code != "ABCD-EFGH" || !strings.Contains(p.WithURL, p.Code) ||
			time.Until(p.Expires) < 5*time.Minute {
			t.Errorf("the person is told %+v", p)
		}
		w.issuer.Approve()
	})
	if err != nil {
		t.Fatal(err)
	}
}

// mustProve returns the token for the server, which has to accept it.
func (w *world) mustProve(t *testing.T, c *login.Credentials) string {
	t.Helper()
	token, err := c.Token(t.Context(), w.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	caller, err := w.auth.Caller(r)
	if err != nil || caller.Actor.Name != "ana@example.com" || len(caller.Actor.Roles) != 1 {
		t.Errorf("the server takes the token for %+v, %v", caller.Actor, err)
	}
	return token
}

func TestLogin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.Token(t.Context(), w.server.URL)
	w.wantRefused(t, err, sluice.Unauthenticated)
	w.logIn(t)
	data, err := os.ReadFile(w.File)
	if err != nil {
		t.Fatal(err)
	}
	var logins map[string]struct{ IDToken, RefreshToken string }
	if err := json.Unmarshal(data, &logins); err != nil || logins[w.server.URL].RefreshToken == "" {
		t.Fatalf("the file holds %v, %v", logins, err)
	}
	w.wantKnown(t, logins[w.server.URL].IDToken)
	w.wantKnown(t, logins[w.server.URL].RefreshToken)
	w.wantKnown(t, w.mustProve(t, w.Credentials))
	w.mustProve(t, w.machine(w.File))

	info, err := os.Stat(w.File)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info, err)
	}
	if dir, err := os.Stat(filepath.Dir(w.File)); err != nil || dir.Mode().Perm() != 0o700 {
		t.Errorf("its directory is %v, %v", dir, err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(w.File), ".credentials-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}

	// Another server does not get it, and to forget another one changes nothing.
	_, err = w.Token(t.Context(), "https://other.example.com")
	w.wantRefused(t, err, sluice.Unauthenticated)
	if err := w.Logout(t.Context(), "https://other.example.com"); err != nil {
		t.Fatal(err)
	}
	w.mustProve(t, w.Credentials)
	for range 2 {
		if err := w.Logout(t.Context(), w.server.URL); err != nil {
			t.Fatal(err)
		}
	}
	_, err = w.Token(t.Context(), w.server.URL)
	w.wantRefused(t, err, sluice.Unauthenticated)
	if data, err := os.ReadFile(w.File); err != nil || strings.TrimSpace(string(data)) != "{}" {
		t.Errorf("after the logout the file holds %s, %v", data, err)
	}
}

func TestLoginsThatAreRefused(t *testing.T) {
	for name, test := range map[string]struct {
		prepare func(*world)
		show    func(*world)
		code    sluice.Code
	}{
		"by the person": {func(w *world) { w.issuer.LogIn(nil) }, func(w *world) { w.issuer.Approve() },
			sluice.Unauthenticated},
		"by an issuer that is away": {func(w *world) { w.issuer.SetAway(true) }, nil, sluice.Unavailable},
		"by an issuer that leaves":  {func(*world) {}, func(w *world) { w.issuer.SetAway(true) }, sluice.Unavailable},
		"for its client": {func(w *world) { w.issuer.ClientSecret = "x" },
			func(w *world) { w.issuer.Approve() }, sluice.Unsupported},
		"by a server that is away": {func(w *world) { w.server.Close() }, nil, sluice.Unavailable},
		"by a server without people": {func(w *world) {
			w.auth = identity.New(identity.Options{Now: time.Now, Key: func(string) []byte { return make([]byte, 32) }})
		}, nil, sluice.Unsupported},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			test.prepare(w)
			err := w.Login(t.Context(), w.server.URL, func(login.Prompt) {
				if test.show == nil {
					t.Error("the person is asked to log in")
					return
				}
				test.show(w)
			})
			w.wantRefused(t, err, test.code)
			if _, err := os.Stat(w.File); err == nil {
				t.Error("something was kept")
			}
		})
	}
}

func TestAnIssuerThatLeadsPeopleAstray(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.issuer.ActivateURL = "http://evil.example.com/activate"
	err := w.Login(t.Context(), w.server.URL, func(login.Prompt) { t.Error("the person is sent there") })
	w.wantRefused(t, err, sluice.Denied)
}

func TestALoginIsCancelled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	if err := w.Login(ctx, w.server.URL, func(login.Prompt) { cancel() }); sluice.ErrorCode(err) != sluice.Cancelled {
		t.Errorf("%v, want cancelled", err)
	}
}

func TestLoginsAreRenewed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.logIn(t)
	first := w.mustProve(t, w.Credentials)
	if second := w.mustProve(t, w.Credentials); second != first {
		t.Error("a token that is valid was renewed")
	}
	w.later.Add(int64(4*time.Minute + 30*time.Second))
	w.issuer.Life(time.Hour)
	second := w.mustProve(t, w.Credentials)
	if second == first {
		t.Error("a token that is about to expire was not renewed")
	}
	w.wantKnown(t, second)
	w.later.Add(int64(time.Hour))
	w.issuer.Life(5 * time.Hour)
	if third := w.mustProve(t, w.Credentials); third == second {
		t.Error("the token was not renewed a second time")
	}
}

// The issuer takes a refresh token once, so only one of many processes may use it.
func TestManyRenewAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.logIn(t)
	w.later.Add(int64(10 * time.Minute))
	w.issuer.Life(time.Hour)
	before := w.issuer.Asked("/token")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { w.mustProve(t, w.machine(w.File)) })
	}
	wg.Wait()
	if n := w.issuer.Asked("/token") - before; n != 1 {
		t.Errorf("the login was renewed %d times", n)
	}
}

func TestLoginsThatCannotBeRenewed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.logIn(t)
	w.later.Add(int64(10 * time.Minute))
	w.issuer.SetAway(true)
	_, err := w.Token(t.Context(), w.server.URL)
	w.wantRefused(t, err, sluice.Unavailable)
	w.issuer.SetAway(false)
	w.issuer.Life(time.Hour)
	w.mustProve(t, w.Credentials)

	w.later.Add(int64(2 * time.Hour))
	w.issuer.Revoke()
	_, err = w.Token(t.Context(), w.server.URL)
	w.wantRefused(t, err, sluice.Unauthenticated)
}

func TestFilesThatAreNotTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.logIn(t)
	if err := os.Chmod(w.File, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := w.Token(t.Context(), w.server.URL)
	w.wantRefused(t, err, sluice.Denied)
	data, err := os.ReadFile(w.File)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(w.File); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.File, data[:len(data)-20], 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = w.Token(t.Context(), w.server.URL)
	w.wantRefused(t, err, sluice.Invalid)
	if after, err := os.ReadFile(w.File); err != nil || len(after) != len(data)-20 {
		t.Errorf("the file was changed: %v", err)
	}
}

func TestAddressesThatAreNotSafe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.env["SLUICE_TOKEN"] = "sluice_a_5ecret"
	for _, server := range []string{
		"http://sluice.example.com", "sluice.example.com", "ftp://localhost", "https://", "https://a:b@example.com",
		"https://example.com/path", "https://example.com?x", "http://localhost.example.com",
		"http://127.0.0.1.example.com", "",
	} {
		if token, err := w.Token(t.Context(), server); token != "" {
			t.Errorf("%q gets a token", server)
		} else {
			w.wantRefused(t, err, sluice.Invalid)
		}
		w.wantRefused(t, w.Login(t.Context(), server, nil), sluice.Invalid)
	}
	for _, server := range []string{"https://sluice.example.com/", "http://localhost:8080", "http://[::1]:1",
		"http://127.0.0.2"} {
		if token, err := w.Token(t.Context(), server); token == "" || err != nil {
			t.Errorf("%q: %v", server, err)
		}
	}
}
