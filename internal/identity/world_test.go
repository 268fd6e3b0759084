package identity_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/identity"
	"github.com/sluice-cd/sluice/internal/identitytest"
	"github.com/sluice-cd/sluice/internal/storetest"
)

// audience is that of workloads.
const audience = "https://sluice.example.com"

// A world is a server with its issuers. Its clock begins at the real time.
type world struct {
	*identity.Authenticator
	people, ci *identitytest.Issuer
	store      *storetest.Memory
	server     *httptest.Server
	later      atomic.Int64 // by how much the server's clock is ahead
	failed     atomic.Pointer[sluice.Error]
	roles      atomic.Pointer[[]access.Role]
}

// newWorld starts a server; change may change its options.
func newWorld(t *testing.T, change ...func(*identity.Options)) *world {
	w := &world{people: identitytest.New(t), ci: identitytest.New(t), store: storetest.NewMemory()}
	w.people.Life(48 * time.Hour)
	var a *identity.Authenticator
	w.server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/log") {
			a.Handler().ServeHTTP(rw, r)
			return
		}
		c, err := a.Caller(r)
		if err != nil {
			w.fail(rw, r, err)
			return
		}
		fmt.Fprintf(rw, "%s %q via %s", c.Actor.Name, c.Actor.Roles, c.Actor.Via)
	}))
	t.Cleanup(w.server.Close)
	o := identity.Options{
		Server: config.Server{
			Listen: "127.0.0.1:8080", Address: w.server.URL,
			Identity: &config.Identity{
				Issuer: w.people.URL, ClientID: identitytest.ClientID, CLIClientID: "cli", UserClaim: config.ClaimEmail,
				GroupsClaim: "groups",
			},
			Workloads: []config.Workload{{Name: "ci", Issuer: w.ci.URL, Audience: audience}},
			Roles: []access.Role{
				{Name: "admin", Members: []access.Member{{User: "root@example.com"}},
					Grants: []access.Grant{{Verbs: access.Verbs}}},
				{Name: "deployer", Members: []access.Member{{Group: "dev"}, {Workload: "ci", Claims: map[string]string{
					"repository": "acme/shop", "ref": "refs/heads/main",
				}}}, Grants: []access.Grant{{Verbs: []access.Verb{access.Deploy}, Applications: []string{"shop"}}}},
			},
		},
		Tokens: w.store, Audit: w.store,
		Key: func(purpose string) []byte {
			sum := sha256.Sum256([]byte("key for " + purpose))
			return sum[:]
		},
		User: "me", Now: func() time.Time { return time.Now().Add(time.Duration(w.later.Load())) }, Fail: w.fail,
	}
	for _, f := range change {
		f(&o)
	}
	w.roles.Store(&o.Server.Roles)
	o.Roles = func() []access.Role { return *w.roles.Load() }
	a = identity.New(o)
	w.Authenticator = a
	return w
}

func (w *world) fail(rw http.ResponseWriter, _ *http.Request, err error) {
	e, ok := err.(*sluice.Error)
	if !ok {
		e = sluice.Errorf(sluice.Internal, "%w", err)
	}
	w.failed.Store(e)
	http.Error(rw, string(e.Code)+": "+e.Error()+" ("+e.Hint+")", http.StatusTeapot)
}

// pass lets time pass for the server.
func (w *world) pass(d time.Duration) { w.later.Add(int64(d)) }

// call calls with the credential.
func (w *world) call(credential string) (access.Caller, error) {
	r := httptest.NewRequest("GET", "/api/v1/deployments", nil)
	if credential != "" {
		r.Header.Set("Authorization", "Bearer "+credential)
	}
	return w.Caller(r)
}

// wantRefused fails the test unless the error has the code and a hint, and holds none of the secrets.
func wantRefused(t *testing.T, err error, code sluice.Code, secrets ...string) {
	t.Helper()
	if sluice.ErrorCode(err) != code || sluice.ErrorHint(err) == "" {
		t.Errorf("%v (%s, hint %q), want %s with a hint", err, sluice.ErrorCode(err), sluice.ErrorHint(err), code)
		return
	}
	for _, secret := range secrets {
		if text := fmt.Sprintf("%+v %s", err, sluice.ErrorHint(err)); len(secret) > 8 && strings.Contains(text, secret) {
			t.Errorf("the error holds a secret: %s", text)
		}
	}
}

// wantRoles fails the test unless the caller has exactly these roles.
func wantRoles(t *testing.T, c access.Caller, err error, want ...string) {
	t.Helper()
	if err != nil || strings.Join(c.Actor.Roles, " ") != strings.Join(want, " ") {
		t.Errorf("%+v, %v; want the roles %q", c.Actor, err, want)
	}
}

// A browser keeps cookies and follows redirects, also to the issuer.
type browser struct {
	*http.Client
	t    *testing.T
	w    *world
	last *http.Request // the last one that was sent
}

func (w *world) browser(t *testing.T) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{Client: &http.Client{Jar: jar}, t: t, w: w}
	b.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		b.last = r
		return nil
	}
	return b
}

// get gets a path of the server and returns the status and the text.
func (b *browser) get(path string) (int, string) { return b.do("GET", path, "") }

func (b *browser) do(method, path, origin string) (int, string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, b.w.server.URL+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	if origin != "" {
		r.Header.Set("Origin", origin)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
	}
	b.last = r
	resp, err := b.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// cookie returns the cookie of the server with the name, nil if there is none.
func (b *browser) cookie(name string) *http.Cookie {
	u, _ := url.Parse(b.w.server.URL)
	for _, c := range b.Jar.Cookies(u) {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// setCookie replaces the value of a cookie of the server.
func (b *browser) setCookie(name, value string) {
	u, _ := url.Parse(b.w.server.URL)
	b.Jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Path: "/"}})
}
