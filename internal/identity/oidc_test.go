package identity_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/identity"
	"github.com/sluice-cd/sluice/internal/identitytest"
)

// ana is a person who may deploy.
var ana = map[string]any{"email": "ana@example.com", "email_verified": true, "groups": []string{"dev", "other"}}

// with returns the claims with some changed.
func with(claims map[string]any, changed map[string]any) map[string]any {
	all := maps.Clone(claims)
	maps.Copy(all, changed)
	return all
}

func TestPeople(t *testing.T) {
	w := newWorld(t)
	c, err := w.call(w.people.Token(ana))
	wantRoles(t, c, err, "deployer")
	if a := c.Actor; a.Name != "ana@example.com" || a.Identity != w.people.URL+"#7" || a.Via != "api" ||
		a.From != "192.0.2.1" {
		t.Errorf("actor is %+v", a)
	}
	if !c.May(access.Deploy, "shop", "staging") || c.May(access.Deploy, "shop2", "staging") || c.May(access.View,
		"shop", "") {
		t.Errorf("grants are %+v", c.Grants)
	}
	for name, test := range map[string]struct {
		claims map[string]any
		name   string
		roles  []string
	}{
		"an administrator": {map[string]any{"email": "root@example.com", "email_verified": true},
			"root@example.com", []string{"admin"}},
		"verified as text": {map[string]any{"email": "root@example.com", "email_verified": "true"},
			"root@example.com", []string{"admin"}},
		"an address not verified":  {map[string]any{"email": "root@example.com", "email_verified": false}, "7", nil},
		"an address that may be":   {map[string]any{"email": "root@example.com"}, "7", nil},
		"an address of a list":     {map[string]any{"email": []string{"root@example.com"}, "email_verified": true}, "7", nil},
		"no claims":                {nil, "7", nil},
		"a group as one text":      {map[string]any{"groups": "dev"}, "7", []string{"deployer"}},
		"groups that are numbers":  {map[string]any{"groups": []any{1, true}}, "7", nil},
		"groups in another form":   {map[string]any{"groups": map[string]any{"dev": true}}, "7", nil},
		"the claims of a workload": {map[string]any{"repository": "acme/shop", "ref": "refs/heads/main"}, "7", nil},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := w.call(w.people.Token(test.claims))
			wantRoles(t, c, err, test.roles...)
			if c.Actor.Name != test.name {
				t.Errorf("the name is %q, want %q", c.Actor.Name, test.name)
			}
		})
	}
}

func TestPeopleAtATerminal(t *testing.T) {
	w := newWorld(t)
	c, err := w.call(w.people.Token(with(ana, map[string]any{"aud": "cli", "azp": "cli"})))
	wantRoles(t, c, err, "deployer")
	_, err = w.call(w.people.Token(with(ana, map[string]any{"aud": "cli", "azp": "sluice"})))
	wantRefused(t, err, sluice.Unauthenticated)
}

func TestWorkloads(t *testing.T) {
	w := newWorld(t)
	job := map[string]any{
		"aud": audience, "sub": "repo:acme/shop", "repository": "acme/shop", "ref": "refs/heads/main",
		"run_id": 12345678901234,
	}
	c, err := w.call(w.ci.Token(job))
	wantRoles(t, c, err, "deployer")
	if c.Actor.Name != "ci repo:acme/shop" || c.Actor.Identity != w.ci.URL+"#repo:acme/shop" {
		t.Errorf("actor is %+v", c.Actor)
	}
	for name, changed := range map[string]map[string]any{
		"another repository": {"repository": "acme/shop2"},
		"another branch":     {"ref": "refs/heads/main-2"},
		"a claim is missing": {"ref": nil},
		"a claim is a list":  {"ref": []string{"refs/heads/main"}},
		"the claims of a person": {"repository": nil, "groups": []string{"dev"}, "email": "root@example.com",
			"email_verified": true},
		"claims in another letter": {"repository": "Acme/Shop"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := w.call(w.ci.Token(with(job, changed)))
			wantRoles(t, c, err)
		})
	}
	_, err = w.call(w.ci.Token(with(job, map[string]any{"aud": "https://other.example.com"})))
	wantRefused(t, err, sluice.Unauthenticated)
}

func TestLargeNumbersStayAsTheyAre(t *testing.T) {
	w := newWorld(t, func(o *identity.Options) {
		o.Server.Roles = []access.Role{{Name: "r", Members: []access.Member{{
			Workload: "ci", Claims: map[string]string{"project_id": "12345678901234567"},
		}}}}
	})
	c, err := w.call(w.ci.Token(map[string]any{"aud": audience, "project_id": 12345678901234567}))
	wantRoles(t, c, err, "r")
}

func TestTokensThatProveNothing(t *testing.T) {
	w := newWorld(t)
	w.people.RotateToRSA() // a key that somebody could take for a secret of HS256
	other := newWorld(t).people
	now := time.Now()
	for name, make := range map[string]func() string{
		"expired": func() string {
			return w.people.Token(with(ana, map[string]any{"exp": now.Add(-2 * time.Minute).Unix()}))
		},
		"for ever": func() string { return w.people.Token(with(ana, map[string]any{"exp": nil})) },
		"not yet": func() string {
			return w.people.Token(with(ana, map[string]any{"nbf": now.Add(5 * time.Minute).Unix()}))
		},
		"never begins":     func() string { return w.people.Token(with(ana, map[string]any{"nbf": "soon"})) },
		"wrong audience":   func() string { return w.people.Token(with(ana, map[string]any{"aud": "other"})) },
		"no audience":      func() string { return w.people.Token(with(ana, map[string]any{"aud": nil})) },
		"of workloads":     func() string { return w.people.Token(with(ana, map[string]any{"aud": audience})) },
		"wrong issuer":     func() string { return other.Token(ana) },
		"issuer pretended": func() string { return other.Token(with(ana, map[string]any{"iss": w.people.URL})) },
		"issuer of ci":     func() string { return w.ci.Token(with(ana, map[string]any{"iss": w.people.URL})) },
		"ci for people":    func() string { return w.ci.Token(ana) },
		"no issuer":        func() string { return w.people.Token(with(ana, map[string]any{"iss": nil})) },
		"longer issuer":    func() string { return w.people.Token(with(ana, map[string]any{"iss": w.people.URL + "/"})) },
		"no subject":       func() string { return w.people.Token(with(ana, map[string]any{"sub": nil})) },
		"a logout": func() string {
			return w.people.Token(with(ana,
				map[string]any{"events": map[string]any{"logout": 1}}))
		},
		"of another client": func() string {
			return w.people.Token(with(ana, map[string]any{"aud": []string{"sluice", "x"}, "azp": "x"}))
		},
		"alg none":     func() string { return unsigned(w.people.Token(ana), `{"alg":"none"}`) + "." },
		"alg None":     func() string { return unsigned(w.people.Token(ana), `{"alg":"None"}`) + "." },
		"no signature": func() string { return unsigned(w.people.Token(ana), `{"alg":"RS256"}`) + "." },
		"HS256 with the public key": func() string {
			der, err := x509.MarshalPKIXPublicKey(w.people.PublicKey())
			if err != nil {
				t.Fatal(err)
			}
			text := unsigned(w.people.Token(ana), `{"alg":"HS256","kid":"key-1"}`)
			h := hmac.New(sha256.New, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
			h.Write([]byte(text))
			return text + "." + base64.RawURLEncoding.EncodeToString(h.Sum(nil))
		},
		"key in the header": func() string { return selfSigned(t, w.people.Token(ana)) },
		"changed claims": func() string {
			token, changed := w.people.Token(nil), w.people.Token(ana)
			parts, other := strings.Split(token, "."), strings.Split(changed, ".")
			return parts[0] + "." + other[1] + "." + parts[2]
		},
		"cut off":         func() string { s := w.people.Token(ana); return s[:len(s)-8] },
		"two parts":       func() string { return "a.b" },
		"no JSON":         func() string { return "a.YWJj.c" },
		"JSON, no claims": func() string { return "e30.W10.c" },
		"encrypted":       func() string { return "a.b.c.d.e" },
		"far too long":    func() string { return w.people.Token(map[string]any{"x": strings.Repeat("x", 20<<10)}) },
	} {
		t.Run(name, func(t *testing.T) {
			token := make()
			_, err := w.call(token)
			parts := strings.Split(token, ".")
			wantRefused(t, err, sluice.Unauthenticated, append(parts[min(len(parts)-1, 2):], token)...)
		})
	}
	_, err := w.call(w.people.Token(with(ana, map[string]any{"exp": nil})))
	if !strings.Contains(fmt.Sprint(err), "does not say when") {
		t.Errorf("a token for ever: %v", err)
	}
	_, err = w.call(w.people.Token(with(ana, map[string]any{"exp": now.Add(-30 * time.Second).Unix()})))
	if err != nil {
		t.Errorf("a clock that differs by half a minute: %v", err)
	}
}

// unsigned returns the token with another header and without its signature.
func unsigned(token, header string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + strings.Split(token, ".")[1]
}

// selfSigned signs the claims with a key of its own, which the header brings.
func selfSigned(t *testing.T, token string) string {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: private},
		&jose.SignerOptions{EmbedJWK: true})
	if err != nil {
		t.Fatal(err)
	}
	claims, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign(claims)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestHeadersThatProveNothing(t *testing.T) {
	w := newWorld(t)
	for name, headers := range map[string][]string{
		"none": nil, "empty": {""}, "basic": {"Basic YTpi"}, "no token": {"Bearer"}, "spaces": {"Bearer  "},
		"two": {"Bearer " + w.people.Token(ana), "Bearer " + w.people.Token(ana)},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		for _, h := range headers {
			r.Header.Add("Authorization", h)
		}
		_, err := w.Caller(r)
		t.Run(name, func(t *testing.T) { wantRefused(t, err, sluice.Unauthenticated) })
	}
}

func TestKeysAreRotated(t *testing.T) {
	w := newWorld(t)
	old := w.people.Token(ana)
	if _, err := w.call(old); err != nil {
		t.Fatal(err)
	}
	w.people.RotateToRSA()
	c, err := w.call(w.people.Token(ana))
	wantRoles(t, c, err, "deployer")
	// The library keeps new keys a moment after it has verified with them.
	for end := time.Now().Add(time.Minute); err == nil && time.Now().Before(end); {
		_, err = w.call(old)
	}
	wantRefused(t, err, sluice.Unauthenticated, old)
	if n := w.people.Asked("/keys"); n > 3 {
		t.Errorf("the keys were fetched %d times", n)
	}
}

// A key that was withdrawn is not trusted for longer than an hour, although nobody comes with a new one.
func TestWithdrawnKeysAreForgotten(t *testing.T) {
	w := newWorld(t)
	old := w.people.Token(with(ana, map[string]any{"exp": time.Now().Add(5 * time.Hour).Unix()}))
	if _, err := w.call(old); err != nil {
		t.Fatal(err)
	}
	w.people.Rotate()
	w.pass(61 * time.Minute)
	_, err := w.call(old)
	wantRefused(t, err, sluice.Unauthenticated)
}

// Somebody without a valid token cannot make the server call the issuer again and again.
func TestUnknownKeysAreFetchedSeldom(t *testing.T) {
	w, other := newWorld(t), newWorld(t).people
	good := w.people.Token(ana)
	other.Rotate() // to another key id
	forged := other.Token(with(ana, map[string]any{"iss": w.people.URL}))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 25 {
				if _, err := w.call(forged); sluice.ErrorCode(err) != sluice.Unauthenticated {
					t.Errorf("forged: %v", err)
				}
				if _, err := w.call(good); err != nil {
					t.Errorf("good: %v", err)
				}
			}
		})
	}
	wg.Wait()
	// Five at once, and one more each ten seconds that the test takes.
	if n := w.people.Asked("/keys"); n > 20 {
		t.Errorf("the keys were fetched %d times", n)
	}
}

func TestAnIssuerIsAway(t *testing.T) {
	w := newWorld(t)
	token := w.people.Token(ana)
	w.people.SetAway(true)
	for range 50 {
		_, err := w.call(token)
		wantRefused(t, err, sluice.Unavailable, token)
	}
	if n := w.people.Asked("/.well-known/openid-configuration"); n > 3 {
		t.Errorf("the issuer was asked %d times", n)
	}
	// Others still prove who they are.
	c, err := w.call(w.ci.Token(map[string]any{"aud": audience, "repository": "acme/shop", "ref": "refs/heads/main"}))
	wantRoles(t, c, err, "deployer")

	w.people.SetAway(false)
	w.pass(time.Minute)
	c, err = w.call(token)
	wantRoles(t, c, err, "deployer")

	// With known keys the issuer is not needed, but with an unknown one it is.
	w.people.SetAway(true)
	c, err = w.call(token)
	wantRoles(t, c, err, "deployer")
	w.people.Rotate()
	_, err = w.call(w.people.Token(ana))
	wantRefused(t, err, sluice.Unavailable)
}

func TestAnIssuerThatIsNone(t *testing.T) {
	w := newWorld(t, func(o *identity.Options) {
		o.Server.Workloads = append(o.Server.Workloads, config.Workload{Name: "x", Issuer: "http://127.0.0.1:1",
			Audience: "x"})
	})
	token := w.people.Token(map[string]any{"iss": "http://127.0.0.1:1"})
	_, err := w.call(token)
	wantRefused(t, err, sluice.Unavailable, token)
	if !strings.Contains(fmt.Sprint(err), "http://127.0.0.1:1") {
		t.Errorf("the error does not name the issuer: %v", err)
	}
}

// Keys that arrive without TLS may be anybody's, also if the issuer itself has TLS.
func TestKeysWithoutTLS(t *testing.T) {
	var keys *identitytest.Issuer
	secure := httptest.NewUnstartedServer(nil)
	secure.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(rw, `{"issuer": %q, "jwks_uri": %q}`, secure.URL, keys.URL+"/keys")
	})
	secure.StartTLS()
	defer secure.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := &pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}
	if err := os.WriteFile(ca, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(o *identity.Options) {
		o.Server.Workloads = []config.Workload{{Name: "ci", Issuer: secure.URL, Audience: audience, CAFile: ca}}
	})
	keys = w.people
	_, err := w.call(keys.Token(map[string]any{"iss": secure.URL, "aud": audience}))
	wantRefused(t, err, sluice.Unavailable)
	if n := keys.Asked("/keys"); n > 0 || !strings.Contains(fmt.Sprint(err), "has its keys at") {
		t.Errorf("the keys were fetched %d times: %v", n, err)
	}
}

func TestRolesOfNow(t *testing.T) {
	w := newWorld(t)
	token := w.people.Token(ana)
	c, err := w.call(token)
	wantRoles(t, c, err, "deployer")
	w.roles.Store(&[]access.Role{})
	c, err = w.call(token)
	wantRoles(t, c, err)
}
