package identity_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/identity"
)

// loggedIn returns a browser in which ana has logged in.
func (w *world) loggedIn(t *testing.T) *browser {
	t.Helper()
	w.people.LogIn(ana)
	b := w.browser(t)
	if status, text := b.get("/login"); status != http.StatusOK || !strings.HasPrefix(text, "ana@example.com") {
		t.Fatalf("logged in: %d %s", status, text)
	}
	return b
}

// wantFailure fails the test unless the last page failed so.
func (w *world) wantFailure(t *testing.T, status int, code sluice.Code, secrets ...string) {
	t.Helper()
	if status != http.StatusTeapot {
		t.Fatalf("status is %d, want a failure", status)
	}
	wantRefused(t, w.failed.Load(), code, secrets...)
}

func TestALogin(t *testing.T) {
	w := newWorld(t)
	w.people.LogIn(ana)
	b := w.browser(t)
	status, _ := b.get("/deployments")
	w.wantFailure(t, status, sluice.Unauthenticated)
	_, text := b.get("/login?return=" + url.QueryEscape("/deployments?application=shop#top"))
	if text != `ana@example.com ["deployer"] via page` {
		t.Errorf("the page says %s", text)
	}
	if got := b.last.URL.RequestURI(); got != "/deployments?application=shop" {
		t.Errorf("returned to %s", got)
	}
	if b.cookie("sluice-login") != nil {
		t.Error("the cookie of the login is still there")
	}
	if cookie := b.cookie("sluice").Value; strings.Contains(cookie, "ana") || len(cookie) > 1000 {
		t.Errorf("the cookie is %s", cookie)
	}
	w.people.LogIn(map[string]any{"email": "bob@example.com", "email_verified": true})
	if _, text := b.get("/login"); text != `bob@example.com [] via page` {
		t.Errorf("after another login: %s", text)
	}
}

func TestAConfidentialClient(t *testing.T) {
	secret := "right-5ecret"
	w := newWorld(t, func(o *identity.Options) { o.ClientSecret = func() (string, error) { return secret, nil } })
	w.people.ClientSecret = "right-5ecret"
	w.loggedIn(t)
	secret = "wrong-5ecret"
	status, _ := w.browser(t).get("/login")
	w.wantFailure(t, status, sluice.Unavailable, "right-5ecret", "wrong-5ecret")
}

func TestAConfidentialClientWithoutAHeader(t *testing.T) {
	w := newWorld(t, func(o *identity.Options) {
		o.ClientSecret = func() (string, error) { return "right-5ecret", nil }
	})
	w.people.ClientSecret, w.people.SecretInForm = "right-5ecret", true
	w.loggedIn(t)
}

func TestTheCookiesOfALogin(t *testing.T) {
	w := newWorld(t, func(o *identity.Options) { o.Server.Address = "https://sluice.example.com" })
	rec := httptest.NewRecorder()
	w.Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/login", nil))
	cookies := rec.Result().Cookies()
	if len(cookies) != 1 {
		t.Fatalf("cookies are %v", cookies)
	}
	c := cookies[0]
	if c.Name != "__Host-sluice-login" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode ||
		c.Path != "/" ||
		c.Domain != "" || c.MaxAge != 600 {
		t.Errorf("the cookie is %+v", c)
	}
	to, err := rec.Result().Location()
	if err != nil {
		t.Fatal(err)
	}
	q := to.Query()
	if q.Get("redirect_uri") != "https://sluice.example.com/login/callback" || q.Get("code_challenge_method") != "S256" ||
		q.Get("nonce") == "" || q.Get("nonce") == q.Get("state") || strings.Contains(c.Value, q.Get("state")) {
		t.Errorf("the issuer is asked %v", q)
	}
	if h := rec.Header(); h.Get("Cache-Control") != "no-store" || h.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("headers are %v", h)
	}
}

func TestOnlyLocalPathsAreReturnedTo(t *testing.T) {
	w := newWorld(t)
	w.people.LogIn(ana)
	for _, path := range []string{
		"https://evil.example.com/", "//evil.example.com/", `/\evil.example.com`, `\\evil.example.com`,
		"/\t/evil.example.com",
		"/\n/evil.example.com", "http:evil.example.com", "javascript:alert(1)", "evil.example.com", "", "///evil.example.com",
		"/%zz", "https:/evil.example.com", "?x", " //evil.example.com", "/ /evil.example.com", "//user@evil.example.com",
	} {
		b := w.browser(t)
		w.pass(time.Minute)
		b.get("/login?return=" + url.QueryEscape(path))
		if got := w.server.URL + "/"; b.last.URL.String() != got {
			t.Errorf("%q leads to %s", path, b.last.URL)
		}
	}
	for _, path := range []string{"/a/b?c=//d", "/./a", "/a//b"} {
		b := w.browser(t)
		b.get("/login?return=" + url.QueryEscape(path))
		if b.last.URL.Host != strings.TrimPrefix(w.server.URL, "http://") || b.last.URL.Path == "/" {
			t.Errorf("%q leads to %s", path, b.last.URL)
		}
	}
}

// callback returns the path to which the issuer sends back, without going there.
func (b *browser) callback() string {
	b.t.Helper()
	follow := b.CheckRedirect
	b.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		b.last = r
		if r.URL.Path == "/login/callback" {
			return http.ErrUseLastResponse
		}
		return nil
	}
	b.get("/login")
	b.CheckRedirect = follow
	return b.last.URL.RequestURI()
}

func TestCallbacksThatProveNothing(t *testing.T) {
	w := newWorld(t)
	w.people.LogIn(ana)
	for name, try := range map[string]func(*browser) int{
		"used twice": func(b *browser) int {
			path, cookie := b.callback(), b.cookie("sluice-login").Value
			if status, text := b.get(path); status != http.StatusOK {
				t.Errorf("the first time: %d %s", status, text)
			}
			b.setCookie("sluice", "")
			b.setCookie("sluice-login", cookie)
			status, _ := b.get(path)
			return status
		},
		"in another browser": func(b *browser) int {
			status, _ := w.browser(t).get(b.callback())
			return status
		},
		"of another login of this browser": func(b *browser) int {
			first := b.callback()
			b.callback()
			status, _ := b.get(first)
			return status
		},
		"the code of another person": func(b *browser) int {
			mine, theirs := b.callback(), w.browser(t).callback()
			code := func(path string) string { u, _ := url.Parse(path); return u.Query().Get("code") }
			status, _ := b.get(strings.Replace(mine, code(mine), code(theirs), 1))
			return status
		},
		"without a code": func(b *browser) int {
			path := b.callback()
			status, _ := b.get(path[:strings.Index(path, "?")] + "?state=" + path[strings.Index(path, "state=")+6:])
			return status
		},
		"without a state": func(b *browser) int {
			path := b.callback()
			status, _ := b.get(path[:strings.Index(path, "&state=")])
			return status
		},
		"with a cookie that was changed": func(b *browser) int {
			path := b.callback()
			value := []byte(b.cookie("sluice-login").Value)
			value[len(value)/2] ^= 1
			b.setCookie("sluice-login", string(value))
			status, _ := b.get(path)
			return status
		},
		"too late": func(b *browser) int {
			path := b.callback()
			w.pass(11 * time.Minute)
			status, _ := b.get(path)
			return status
		},
		"with another nonce": func(b *browser) int {
			w.people.LogIn(with(ana, map[string]any{"nonce": "other"}))
			defer w.people.LogIn(ana)
			status, _ := b.get(b.callback())
			return status
		},
		"for another client": func(b *browser) int {
			w.people.LogIn(with(ana, map[string]any{"aud": "other"}))
			defer w.people.LogIn(ana)
			status, _ := b.get(b.callback())
			return status
		},
		"refused by the issuer": func(b *browser) int {
			w.people.LogIn(nil)
			defer w.people.LogIn(ana)
			status, _ := b.get(b.callback())
			return status
		},
	} {
		t.Run(name, func(t *testing.T) {
			w.pass(2 * time.Minute)
			b := w.browser(t)
			status := try(b)
			w.wantFailure(t, status, sluice.Unauthenticated)
			if c := b.cookie("sluice"); c != nil && c.Value != "" {
				t.Error("there is a session")
			}
		})
	}
}

func TestTheIssuerLeavesDuringALogin(t *testing.T) {
	w := newWorld(t)
	w.people.LogIn(ana)
	b := w.browser(t)
	path := b.callback()
	w.people.SetAway(true)
	status, _ := b.get(path)
	w.wantFailure(t, status, sluice.Unavailable, path)
}

func TestSessionsEnd(t *testing.T) {
	w := newWorld(t)
	b := w.loggedIn(t)
	w.pass(11*time.Hour + 59*time.Minute)
	if status, text := b.get("/"); status != http.StatusOK {
		t.Errorf("before its end: %d %s", status, text)
	}
	w.pass(2 * time.Minute) // although it was used just now
	status, _ := b.get("/")
	w.wantFailure(t, status, sluice.Unauthenticated)

	b = w.loggedIn(t)
	if status, text := b.do("POST", "/logout", ""); status == http.StatusOK || b.cookie("sluice") != nil {
		t.Errorf("after the logout: %d %s", status, text)
	}
}

func TestSessionsThatWereChanged(t *testing.T) {
	w := newWorld(t)
	b := w.loggedIn(t)
	good := b.cookie("sluice").Value
	for i := 0; i < len(good); i += 7 {
		changed := []byte(good)
		changed[i] = map[bool]byte{true: 'A', false: 'B'}[changed[i] != 'A']
		b.setCookie("sluice", string(changed))
		status, _ := b.get("/")
		w.wantFailure(t, status, sluice.Unauthenticated, good)
	}
	b.callback()
	for name, value := range map[string]string{
		"of a login": b.cookie("sluice-login").Value, "empty": "", "short": "AAAA", "no base64": "%%%",
		"of another server": newWorld(t, func(o *identity.Options) {
			o.Key = func(string) []byte { return make([]byte, 32) }
		}).loggedIn(t).cookie("sluice").Value,
	} {
		t.Run(name, func(t *testing.T) {
			b.setCookie("sluice", value)
			status, _ := b.get("/")
			w.wantFailure(t, status, sluice.Unauthenticated)
		})
	}
	b.setCookie("sluice", good)
	if status, text := b.get("/"); status != http.StatusOK {
		t.Errorf("the cookie as it was: %d %s", status, text)
	}
}

// Another process with the same key takes the session; one with another issuer does not.
func TestSessionsOfOtherProcesses(t *testing.T) {
	w := newWorld(t)
	session := w.loggedIn(t).cookie("sluice").Value
	r := httptest.NewRequest("GET", "/", nil)
	r.AddCookie(&http.Cookie{Name: "sluice", Value: session})
	same := newWorld(t, func(o *identity.Options) { o.Server.Identity.Issuer = w.people.URL })
	c, err := same.Caller(r)
	wantRoles(t, c, err, "deployer")
	_, err = newWorld(t).Caller(r)
	wantRefused(t, err, sluice.Unauthenticated)
}

func TestOtherSitesCannotAct(t *testing.T) {
	w := newWorld(t)
	b := w.loggedIn(t)
	for _, path := range []string{"/api/v1/deployments", "/logout"} {
		status, _ := b.do("POST", path, "https://evil.example.com")
		w.wantFailure(t, status, sluice.Denied)
	}
	if status, text := b.do("POST", "/api/v1/deployments", ""); status != http.StatusOK {
		t.Errorf("a page of this site: %d %s", status, text)
	}
	// No browser sends a token by itself, so a request with one is meant.
	r := httptest.NewRequest("POST", "/", nil)
	r.Header.Set("Origin", "https://other.example.com")
	r.Header.Set("Authorization", "Bearer "+w.people.Token(ana))
	c, err := w.Caller(r)
	wantRoles(t, c, err, "deployer")
}

func TestRolesOfASessionAreThoseOfNow(t *testing.T) {
	w := newWorld(t)
	b := w.loggedIn(t)
	w.roles.Store(&[]access.Role{{Name: "reader", Members: []access.Member{{User: "ana@example.com"}, {Group: "other"}}}})
	if _, text := b.get("/"); text != `ana@example.com ["reader"] via page` {
		t.Errorf("after a change of roles: %s", text)
	}
}

func TestManyGroupsFitIfNoRoleNamesThem(t *testing.T) {
	w := newWorld(t)
	groups := []string{"dev"}
	for range 500 {
		groups = append(groups, "department-of-something-"+strings.Repeat("x", 20))
	}
	w.people.LogIn(with(ana, map[string]any{"groups": groups}))
	if _, text := w.browser(t).get("/login"); text != `ana@example.com ["deployer"] via page` {
		t.Errorf("the page says %.200s", text)
	}
	w.roles.Store(&[]access.Role{{Name: "all", Members: []access.Member{{Group: "*"}}}})
	status, _ := w.browser(t).get("/login")
	w.wantFailure(t, status, sluice.Exhausted)
}
