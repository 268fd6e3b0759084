package identity_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/identity"
)

// open is a server without identity and roles.
func open(o *identity.Options) { o.Server = config.Server{Listen: config.DefaultListen} }

func TestAnOpenServer(t *testing.T) {
	w := newWorld(t, open)
	for name, test := range map[string]struct {
		method, remote, host, origin string
		code                         sluice.Code
	}{
		"a program":                  {"POST", "127.0.0.1:4711", "127.0.0.1:8080", "", ""},
		"by name":                    {"POST", "127.0.0.1:4711", "localhost:8080", "", ""},
		"without a port":             {"POST", "127.0.0.1:4711", "LOCALHOST", "", ""},
		"by IPv6":                    {"POST", "[::1]:4711", "[::1]:8080", "", ""},
		"IPv6 without a port":        {"POST", "[::1]:4711", "[::1]", "", ""},
		"its own page":               {"POST", "127.0.0.1:4711", "127.0.0.1:8080", "http://127.0.0.1:8080", ""},
		"another machine":            {"GET", "192.0.2.7:4711", "127.0.0.1:8080", "", sluice.Denied},
		"a name that leads here":     {"GET", "127.0.0.1:4711", "evil.example.com:8080", "", sluice.Denied},
		"a name that begins so":      {"GET", "127.0.0.1:4711", "localhost.evil.example.com", "", sluice.Denied},
		"an address that begins so":  {"GET", "127.0.0.1:4711", "127.0.0.1.evil.example.com", "", sluice.Denied},
		"every address":              {"GET", "127.0.0.1:4711", "0.0.0.0:8080", "", sluice.Denied},
		"no name":                    {"GET", "127.0.0.1:4711", "", "", sluice.Denied},
		"a page of another site":     {"POST", "127.0.0.1:4711", "127.0.0.1:8080", "https://evil.example.com", sluice.Denied},
		"a page of another port":     {"POST", "127.0.0.1:4711", "127.0.0.1:8080", "http://127.0.0.1:9090", sluice.Denied},
		"a page from a file or none": {"DELETE", "127.0.0.1:4711", "127.0.0.1:8080", "null", sluice.Denied},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(test.method, "/", nil)
			r.RemoteAddr, r.Host = test.remote, test.host
			if test.origin != "" {
				r.Header.Set("Origin", test.origin)
			}
			c, err := w.Caller(r)
			if test.code != "" {
				wantRefused(t, err, test.code)
				return
			}
			if err != nil || c.Actor.Name != "me" || !c.MayEverywhere(access.Administer) || c.Actor.Identity != "" {
				t.Errorf("%+v, %v", c, err)
			}
		})
	}
	status, _ := w.browser(t).get("/login")
	w.wantFailure(t, status, sluice.NotFound)
}

func TestWhereACallComesFrom(t *testing.T) {
	for name, test := range map[string]struct {
		proxy     bool
		remote    string
		forwarded []string
		want      string
	}{
		"directly":                {false, "192.0.2.7:1", nil, "192.0.2.7"},
		"a claim of the caller":   {false, "192.0.2.7:1", []string{"203.0.113.9"}, "192.0.2.7"},
		"by a proxy":              {true, "10.0.0.1:1", []string{"203.0.113.9"}, "203.0.113.9"},
		"a claim through a proxy": {true, "10.0.0.1:1", []string{"127.0.0.1, 198.51.100.1, 203.0.113.9"}, "203.0.113.9"},
		"in two headers":          {true, "10.0.0.1:1", []string{"127.0.0.1", "203.0.113.9"}, "203.0.113.9"},
		"a proxy that says none":  {true, "10.0.0.1:1", nil, "10.0.0.1"},
		"a proxy that is wrong":   {true, "10.0.0.1:1", []string{"<script>"}, "10.0.0.1"},
		"IPv6":                    {false, "[2001:db8::1]:1", nil, "2001:db8::1"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(o *identity.Options) { o.Server.BehindProxy = test.proxy })
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = test.remote
			r.Header.Set("Authorization", "Bearer "+w.people.Token(nil))
			for _, f := range test.forwarded {
				r.Header.Add("X-Forwarded-For", f)
			}
			if c, err := w.Caller(r); err != nil || c.Actor.From != test.want {
				t.Errorf("from %q, %v; want %q", c.Actor.From, err, test.want)
			}
		})
	}
}

// logins begins logins from the address and returns how many were let through.
func (w *world) logins(address string, n int) (through int) {
	for range n {
		r := httptest.NewRequest("GET", "/login", nil)
		r.RemoteAddr = address
		rec := httptest.NewRecorder()
		w.Handler().ServeHTTP(rec, r)
		if rec.Code == 303 {
			through++
		}
	}
	return through
}

func TestLoginsAreLimited(t *testing.T) {
	// Time stands still but for pass, so the counts are exact.
	begin := time.Now()
	w := newWorld(t, func(o *identity.Options) {
		now := o.Now
		o.Now = func() time.Time { return begin.Add(time.Until(now()).Round(time.Second)) }
	})
	if n := w.logins("192.0.2.7:1", 100); n != 20 {
		t.Errorf("%d logins of one address went through, want 20", n)
	}
	wantRefused(t, w.failed.Load(), sluice.Exhausted)
	if n := w.logins("192.0.2.8:1", 1); n != 1 {
		t.Error("another address is held up")
	}
	for i, address := range []string{"[2001:db8::1]:1", "[2001:db8::ffff]:1"} {
		if n := w.logins(address, 20); n != 20*(1-i) {
			t.Errorf("%d logins of %s went through", n, address)
		}
	}
	through := 41
	for i := range 20 {
		through += w.logins(fmt.Sprintf("198.51.100.%d:1", i), 20)
	}
	if through != 200 {
		t.Errorf("%d logins of all went through, want 200", through)
	}
	w.pass(time.Minute)
	if n := w.logins("192.0.2.7:1", 100); n != 20 {
		t.Errorf("%d logins went through a minute later, want 20", n)
	}
}

func TestDiscovery(t *testing.T) {
	w := newWorld(t)
	if d := w.Discovery(); d.Issuer != w.people.URL || d.ClientID != "cli" || d.Audience != w.server.URL {
		t.Errorf("%+v", d)
	}
	if d := newWorld(t, open).Discovery(); d.Issuer+d.ClientID+d.Audience+strings.Join(d.Scopes, "") != "" {
		t.Errorf("an open server says %+v", d)
	}
}
