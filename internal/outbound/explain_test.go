package outbound_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/internal/outbound"
)

// TestExplain asks real servers that do not answer as they should.
func TestExplain(t *testing.T) {
	quiet := func(s *httptest.Server) *httptest.Server {
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		return s
	}
	handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hang" {
			<-r.Context().Done()
		}
		panic(http.ErrAbortHandler)
	})
	plain := quiet(httptest.NewUnstartedServer(handler))
	plain.Start()
	defer plain.Close()
	secure := quiet(httptest.NewUnstartedServer(handler))
	secure.StartTLS()
	defer secure.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(secure.Certificate())
	trusting := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "other.example.org"}}
	unknown := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "ci.invalid", IsNotFound: true}}
	}}
	for name, test := range map[string]struct {
		transport  *http.Transport
		address    string
		says, hint string
	}{
		"refused":           {&http.Transport{}, "http://" + closed.Addr().String(), "refused", "nothing listens there"},
		"unknown host":      {unknown, "http://ci.invalid", "there is no host ci.invalid", "getent hosts ci.invalid"},
		"unknown authority": {&http.Transport{}, secure.URL, "unknown authority", "sluice.yaml: KEY"},
		"other name":        {trusting, secure.URL, "for other names", "a name that its certificate has"},
		"no TLS": {&http.Transport{}, strings.Replace(plain.URL, "http:", "https:", 1), "does not speak TLS",
			"http://"},
		"broken": {&http.Transport{}, plain.URL, "ended before an answer", "log of the server"},
		"silent": {&http.Transport{}, plain.URL + "/hang", "no answer in time", "firewall"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			if name == "silent" {
				ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
			}
			defer cancel()
			defer test.transport.CloseIdleConnections()
			r, err := http.NewRequestWithContext(ctx, "POST", test.address+"?token=hush", nil)
			if err != nil {
				t.Fatal(err)
			}
			_, err = (&http.Client{Transport: test.transport}).Do(r)
			why, hint := outbound.Explain(err, "KEY")
			if !strings.Contains(why, test.says) || !strings.Contains(hint, test.hint) || strings.Contains(why+hint, "hush") {
				t.Errorf("%v became %q (%s)", err, why, hint)
			}
		})
	}
}

func TestStatusHints(t *testing.T) {
	seen := map[string]int{}
	for _, status := range []int{401, 403, 404, 405, 429, 500, 503} {
		hint := outbound.StatusHint(status)
		if other, ok := seen[hint]; ok || hint == "" {
			t.Errorf("%d and %d have the hint %q", status, other, hint)
		}
		seen[hint] = status
	}
}
