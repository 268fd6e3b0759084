package client

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
)

// A guarded server is an API server that lets in one user, by token or by the name in a client certificate.
type guarded struct {
	*httptest.Server
	user string
}

func newGuarded(t *testing.T, user string) *guarded {
	t.Helper()
	g := &guarded{user: user}
	g.Server = httptest.NewUnstartedServer(http.HandlerFunc(g.handle))
	g.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	g.EnableHTTP2 = true
	g.StartTLS()
	t.Cleanup(g.Close)
	return g
}

func (g *guarded) handle(w http.ResponseWriter, r *http.Request) {
	who := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if certificates := r.TLS.PeerCertificates; who == "" && len(certificates) > 0 {
		who = certificates[0].Subject.CommonName
	}
	if who == g.user {
		fmt.Fprint(w, `{"gitVersion":"v1.34.4"}`)
		return
	}
	w.WriteHeader(http.StatusUnauthorized)
	fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"Unauthorized","code":401}`)
}

// kubeconfigFor returns a kubeconfig for the server, whose user is as given.
func (g *guarded) kubeconfigFor(user string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: c\n"+
		"clusters: [{name: c, cluster: {server: %q, insecure-skip-tls-verify: true}}]\n"+
		"contexts: [{name: c, context: {cluster: c, user: u}}]\n"+
		"users: [{name: u, user: {%s}}]\n", g.URL, user)
}

// certificate returns a client certificate of the user and its key, as PEM.
func certificate(t *testing.T, user string) (cert, key []byte) {
	t.Helper()
	pair, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: user},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &pair.PublicKey, pair)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(pair)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret})
}

func write(t *testing.T, file string, data []byte) {
	t.Helper()
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// An account goes on with the credentials that its kubeconfig has now, whatever they are and however it was written.
func TestCredentialsAreReadAgain(t *testing.T) {
	dir := t.TempDir()
	file, certFile, keyFile := filepath.Join(dir, "kubeconfig"), filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	tokenFile := filepath.Join(dir, "token")
	embedded := func(user string) string {
		cert, key := certificate(t, user)
		return fmt.Sprintf("client-certificate-data: %s, client-key-data: %s",
			base64.StdEncoding.EncodeToString(cert), base64.StdEncoding.EncodeToString(key))
	}
	inFiles := func(user string) string {
		cert, key := certificate(t, user)
		write(t, certFile, cert)
		write(t, keyFile, key)
		return "client-certificate: cert, client-key: key"
	}
	inTokenFile := func(user string) string {
		write(t, tokenFile, []byte(user))
		return "tokenFile: token"
	}
	program := func(user string) string {
		return fmt.Sprintf(`exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: sh,
			args: [-c, 'echo "{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\",`+
			`\"status\":{\"token\":\"%s\"}}"']}`, user)
	}
	token := func(user string) string { return "token: " + user }
	for name, test := range map[string]struct{ before, after func(user string) string }{
		"token":                         {token, token},
		"certificate":                   {embedded, embedded},
		"certificate in files":          {inFiles, inFiles},
		"token in a file":               {inTokenFile, inTokenFile},
		"program":                       {program, program},
		"a token for a certificate":     {embedded, token},
		"a certificate for a token":     {token, inFiles},
		"a program for a certificate":   {inFiles, program},
		"a token in a file for a token": {token, inTokenFile},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGuarded(t, "one")
			write(t, file, []byte(g.kubeconfigFor(test.before("one"))))
			c, err := Open(Options{Name: "east", Kubeconfig: file})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := c.Reach(t.Context()); err != nil {
				t.Fatal(err)
			}
			g.user = "two"
			_, err = c.Reach(t.Context())
			if sluice.ErrorCode(err) != sluice.Unauthenticated ||
				!strings.Contains(err.Error(), "refuses the credentials of account east; "+file+" is read again") {
				t.Errorf("credentials that have ended: %v", err)
			}
			write(t, file, nil) // in place: first it is empty
			_, _ = c.Reach(t.Context())
			write(t, file, []byte(g.kubeconfigFor(test.after("two"))))
			if _, err := c.Reach(t.Context()); err != nil {
				t.Errorf("new credentials: %v", err)
			}
		})
	}
}

// A file that cannot be used leaves the account as it is, and so does one that is about something else.
func TestCredentialsStay(t *testing.T) {
	g, other := newGuarded(t, "one"), newGuarded(t, "two")
	right := g.kubeconfigFor("token: one")
	for name, bad := range map[string]string{
		"absent":         "",
		"broken":         "{",
		"half":           right[:len(right)/2],
		"no credentials": g.kubeconfigFor(""),
		"another server": other.kubeconfigFor("token: two"),
		"another context": strings.Replace(right, "current-context: c", "current-context: d", 1) +
			"- {name: v, user: {token: two}}\n",
		"a certificate without its key": g.kubeconfigFor("client-certificate-data: eA=="),
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "kubeconfig")
			write(t, file, []byte(right))
			c, err := Open(Options{Name: "east", Kubeconfig: file})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			next := file + ".next"
			write(t, next, []byte(bad))
			if err := os.Rename(next, file); err != nil { // at once
				t.Fatal(err)
			}
			if bad == "" {
				if err := os.Remove(file); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := c.Reach(t.Context()); err != nil {
				t.Errorf("with the bad file: %v", err)
			}
			g.user = "new"
			defer func() { g.user = "one" }()
			write(t, file, []byte(g.kubeconfigFor("token: new")))
			if _, err := c.Reach(t.Context()); err != nil {
				t.Errorf("with the next file: %v", err)
			}
		})
	}
}

// A Service behind the API server's proxy may refuse what it wants.
func TestRefusalOfAServiceIsNotOneOfTheServer(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "log in first", http.StatusUnauthorized)
	}))
	defer s.Close()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	write(t, file, []byte((&guarded{Server: s}).kubeconfigFor("token: one")))
	c, err := Open(Options{Name: "east", Kubeconfig: file})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	req, err := http.NewRequest(http.MethodGet, s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("got %s", resp.Status)
	}
}
