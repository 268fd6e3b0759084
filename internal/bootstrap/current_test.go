package bootstrap

import (
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/outbound"
	"github.com/sluice-cd/sluice/internal/secret"
	"github.com/sluice-cd/sluice/internal/step"
)

// followed is the configuration of a sluice.yaml that the test rewrites.
func followed(t *testing.T, text string) (c *current, write func(string), notes *[]string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), config.FileName)
	write = func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(text)
	first, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	notes = &[]string{}
	w := NewWiring(StateDir{redactor: new(secret.Redactor)}, first)
	w.follow(func(format string, args ...any) { *notes = append(*notes, fmt.Sprintf(format, args...)) })
	if err := w.current.use(first); err != nil {
		t.Fatal(err)
	}
	return w.current, write, notes
}

func prometheusAnswering(t *testing.T, value, token string) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"scalar","result":[1,%q]}}`, value)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestCurrentFollowsItsFile(t *testing.T) {
	one, two := prometheusAnswering(t, "1", "a"), prometheusAnswering(t, "2", "b")
	t.Setenv("TOKEN_A", "a")
	t.Setenv("TOKEN_B", "b")
	text := func(url, token string) string {
		return fmt.Sprintf("metrics: {m: {url: %q, bearer: {env: %s}}}\nsecrets: {s: {env: %s}}\n", url, token, token)
	}
	c, write, notes := followed(t, text(one, "TOKEN_A"))
	for _, test := range []struct {
		name, file string
		value      float64
		code       sluice.Code
		secret     string
		notes      int
	}{
		{"as it began", text(one, "TOKEN_A"), 1, "", "a", 0},
		{"another address and password", text(two, "TOKEN_B"), 2, "", "b", 0},
		{"another password of the same length", text(two, "TOKEN_A"), 0, sluice.Unavailable, "a", 0},
		{"right again", text(two, "TOKEN_B"), 2, "", "b", 0},
		{"a mistake", "metrics: {m: {url: here}}", 2, "", "b", 1},
		{"the same mistake", "metrics: {m: {url: here}}", 2, "", "b", 1},
		{"no YAML", "metrics: {", 2, "", "b", 2},
		{"what is gone stays", "retryFor: 1m", 2, "", "b", 2},
		{"and is replaced again", text(one, "TOKEN_A"), 1, "", "a", 2},
	} {
		write(test.file)
		got, err := c.into(step.Deps{}).Metrics["m"].Measure(t.Context(), "up", time.Now())
		if got != test.value || sluice.ErrorCode(err) != test.code {
			t.Errorf("%s: got %v, %v; want %v, %q", test.name, got, err, test.value, test.code)
		}
		if s, err := c.Secret(t.Context(), "s"); s != test.secret || err != nil {
			t.Errorf("%s: the secret is %q, %v; want %q", test.name, s, err, test.secret)
		}
		if len(*notes) != test.notes {
			t.Errorf("%s: the user was told %q, want %d notes", test.name, *notes, test.notes)
		}
	}
	if said := (*notes)[0]; !strings.Contains(said, "sluice.yaml:1:20") ||
		!strings.Contains(said, "previous content stays") {
		t.Errorf("the mistake is told as %q", said)
	}
}

func TestCurrentOutlastsAMissingFile(t *testing.T) {
	c, _, notes := followed(t, "secrets: {s: {env: TOKEN_A}}\n")
	t.Setenv("TOKEN_A", "a")
	for range 2 {
		if err := os.Remove(c.file); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if s, err := c.Secret(t.Context(), "s"); s != "a" || err != nil {
			t.Errorf("the secret is %q, %v", s, err)
		}
	}
	if len(*notes) != 1 || !strings.Contains((*notes)[0], "there is no file") {
		t.Errorf("the user was told %q", *notes)
	}
}

func TestCurrentFollowsWebhookSettings(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	c, write, _ := followed(t, "webhooks: {}\n")
	if _, err := c.into(step.Deps{}).HTTP.Get(server.URL); sluice.ErrorCode(err) != sluice.Denied {
		t.Errorf("this machine was called: %v", err)
	}
	write("webhooks: {allow: [127.0.0.1], replace: {\"http://a\": \"http://b\"}}\n")
	d := c.into(step.Deps{})
	if r, err := d.HTTP.Get(server.URL); err != nil {
		t.Error(err)
	} else if err := r.Body.Close(); err != nil || d.Replace["http://a"] != "http://b" {
		t.Errorf("got %v, %v", d.Replace, err)
	}
}

func TestWebhooksTrustAPrivateAuthority(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(file, authority, 0o600); err != nil {
		t.Fatal(err)
	}
	allow := []string{"127.0.0.1"}
	if _, err := webhookClient(config.Webhooks{Allow: allow}).Get(server.URL); err == nil {
		t.Error("an unknown authority was trusted")
	}
	if r, err := webhookClient(config.Webhooks{Allow: allow, CAFile: file}).Get(server.URL); err != nil {
		t.Error(err)
	} else if err := r.Body.Close(); err != nil {
		t.Error(err)
	}
	if _, err := webhookClient(config.Webhooks{CAFile: file}).Get(server.URL); sluice.ErrorCode(err) != sluice.Denied {
		t.Errorf("this machine was called: %v", err)
	}
}

// Webhooks must not call this machine by any of its addresses.
func TestEveryAddressOfThisMachineIsRefused(t *testing.T) {
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	all := []string{"127.0.0.1", "127.9.9.9", "0.0.0.0"}
	nets, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nets {
		if p := netip.MustParsePrefix(n.String()); p.Addr().Is4() {
			all = append(all, p.Addr().String())
		}
	}
	client := webhookClient(config.Webhooks{})
	for _, host := range all {
		if _, err := client.Get("http://" + net.JoinHostPort(host, port)); sluice.ErrorCode(err) != sluice.Denied {
			t.Errorf("%s: %v", host, err)
		}
	}
}

// The hint is what a person copies into sluice.yaml, also for an IPv6 address.
func TestTheHintAllowsTheHost(t *testing.T) {
	for _, host := range []string{"localhost", "127.0.0.1", "::1", "::"} {
		_, text, _ := strings.Cut(sluice.ErrorHint(refusePrivate(host, "[::1]:80")), "sluice.yaml: ")
		file := filepath.Join(t.TempDir(), "sluice.yaml")
		if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(file)
		if err != nil || !slices.Equal(c.Webhooks.Allow, []string{host}) {
			t.Errorf("%s: %q: %v", host, text, err)
		}
	}
}

func TestCallbacksAreNotAwaitedAtAnAddressThatIsNone(t *testing.T) {
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	at, err := netip.ParseAddrPort(reachable(l.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	if own, ok := outbound.Reachable(); ok && (at.Addr() != own || !outbound.IsThisMachine(at.Addr())) {
		t.Errorf("callbacks arrive at %s, want %s", at, own)
	}
	if r := reachable(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}); r != "127.0.0.1:80" {
		t.Errorf("an address became %s", r)
	}
}
