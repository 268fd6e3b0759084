package network_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/proxy"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
	"github.com/sluice-cd/sluice/internal/kubernetes/network"
)

const proxyPath = "/k8s/east/api/v1/namespaces/shop/services/web:8080/proxy"

// proxied starts an API server that consists of its proxy for one Service, below a path as behind a gateway for
// several clusters, and returns the account.
func proxied(t *testing.T, service http.Handler) *network.Network {
	backend := httptest.NewServer(service)
	t.Cleanup(backend.Close)
	at, err := url.Parse(backend.URL)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /k8s/east/api/v1/namespaces/shop/services/web", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"kind": "Service", "spec": {"ports": [{"name": "http", "port": 8080}]}}`)
	})
	mux.HandleFunc(proxyPath+"/", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer ours" {
			http.Error(w, "not ours: "+r.Header.Get("Authorization"), http.StatusUnauthorized)
			return
		}
		r.Header.Del("Authorization") // as authentication does
		location := *at
		location.Path, location.RawQuery = strings.TrimPrefix(r.URL.Path, proxyPath), r.URL.RawQuery
		// What the API server itself does with a request to a Service.
		h := proxy.NewUpgradeAwareHandler(&location, &proxy.Transport{PathPrepend: strings.TrimPrefix(proxyPath,
			"/k8s/east"), RoundTripper: http.DefaultTransport}, false, false, responder{t})
		h.UseLocationHost = true
		h.ServeHTTP(w, r)
	})
	server := httptest.NewTLSServer(mux)
	t.Cleanup(server.Close)
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	file := filepath.Join(t.TempDir(), "kubeconfig")
	config := fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: c\n"+
		"clusters: [{name: c, cluster: {server: %q, certificate-authority-data: %s}}]\n"+
		"users: [{name: u, user: {token: ours}}]\n"+
		"contexts: [{name: c, context: {cluster: c, user: u}}]\n",
		server.URL+"/k8s/east", base64.StdEncoding.EncodeToString(authority))
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := client.Open(client.Options{Name: "east", Kubeconfig: file, UserAgent: "sluice/test"})
	if err != nil {
		t.Fatal(err)
	}
	n := network.New(c)
	t.Cleanup(n.Close)
	return n
}

type responder struct{ t *testing.T }

func (r responder) Error(w http.ResponseWriter, _ *http.Request, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusServiceUnavailable)
	status := map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 503,
		"message": err.Error()}
	if err := json.NewEncoder(w).Encode(status); err != nil {
		r.t.Error(err)
	}
}

func httpClient(t *testing.T, a *network.Network) *http.Client {
	rt, err := a.Transport(context.Background(), "shop", "web", 8080)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Transport: rt}
}

func body(t *testing.T, resp *http.Response, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestTransportKeepsTheRequest(t *testing.T) {
	c := httpClient(t, proxied(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s auth=%q x=%q", r.Method, r.URL.RequestURI(), sent, r.Header.Get("Authorization"),
			r.Header.Get("X-Own"))
	})))
	req, err := http.NewRequest(http.MethodPut, "http://web.shop:8080/a//b%2Fc?d=1&d=2", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Own", "kept")
	resp, err := c.Do(req)
	got := body(t, resp, err)
	if !strings.HasPrefix(got, "PUT /a") || !strings.HasSuffix(got, `?d=1&d=2 body auth="" x="kept"`) {
		t.Error(got)
	}
	resp, err = c.Get("http://web.shop:8080")
	if got := body(t, resp, err); !strings.HasPrefix(got, "GET / ") {
		t.Error(got)
	}
}

func TestTransportGivesLinksBack(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/login?next=%2F",
			http.StatusFound)
	})
	mux.HandleFunc("/absolute", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+r.Host+"/login", http.StatusFound)
	})
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://example.com/login", http.StatusFound)
	})
	page := `<html><a href="/next">next</a><img src="/x.png"/></html>`
	mux.HandleFunc("/login", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, page)
	})
	c := httpClient(t, proxied(t, mux))
	resp, err := c.Get("http://web.shop:8080/login")
	if diff := cmp.Diff(page, body(t, resp, err)); diff != "" {
		t.Errorf("the page is changed (-sent +got):\n%s", diff)
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for path, want := range map[string]string{"/": "/login?next=%2F", "/absolute": "/login",
		"/away": "https://example.com/login"} {
		resp, err := c.Get("http://web.shop:8080" + path)
		body(t, resp, err)
		if got := resp.Header.Get("Location"); got != want {
			t.Errorf("%s redirects to %q, want %q", path, got, want)
		}
	}
	c.CheckRedirect = nil
	resp, err = c.Get("http://web.shop:8080/")
	if got := body(t, resp, err); got != page {
		t.Errorf("followed to %q", got)
	}
}

func TestTransportStreams(t *testing.T) {
	next := make(chan bool)
	c := httpClient(t, proxied(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for _, s := range []string{"one", "two"} {
			fmt.Fprint(w, s)
			w.(http.Flusher).Flush()
			<-next
		}
	})))
	resp, err := c.Get("http://web/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for _, want := range []string{"one", "two"} {
		part := make([]byte, 3)
		if _, err := io.ReadFull(resp.Body, part); err != nil || string(part) != want {
			t.Fatalf("%q, %v", part, err)
		}
		next <- true
	}
}

func TestTransportTellsTheServiceFromTheServer(t *testing.T) {
	c := httpClient(t, proxied(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/gone" {
			panic(http.ErrAbortHandler)
		}
		http.Error(w, `{"error": "ours"}`, http.StatusServiceUnavailable)
	})))
	resp, err := c.Get("http://web/x")
	if got := body(t, resp, err); resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(got, "ours") {
		t.Errorf("%d %s", resp.StatusCode, got)
	}
	if _, err := c.Get("http://web/gone"); sluice.ErrorCode(err) != sluice.Unavailable {
		t.Errorf("a Service that cannot be reached: %v", err)
	}
}

func TestTransportNamesWhatIsMissing(t *testing.T) {
	a := proxied(t, http.NotFoundHandler())
	_, err := a.Transport(context.Background(), "shop", "web", 80)
	if sluice.ErrorCode(err) != sluice.NotFound || !strings.Contains(err.Error(), "no port 80") ||
		sluice.ErrorHint(err) != "its ports are: 8080" {
		t.Errorf("another port: %v", err)
	}
	if _, err := a.Transport(context.Background(), "shop", "wob", 80); sluice.ErrorCode(err) != sluice.NotFound {
		t.Errorf("another Service: %v", err)
	}
}

func TestTransportKeepsCredentialsFromTheServer(t *testing.T) {
	c := httpClient(t, proxied(t, http.HandlerFunc(func(http.ResponseWriter,
		*http.Request) {
		t.Error("the request came through the proxy")
	})))
	for name, value := range map[string]string{"Authorization": "Bearer theirs", "Impersonate-User": "admin",
		"X-Remote-User": "admin", "Upgrade": "websocket"} {
		req, err := http.NewRequest(http.MethodGet, "http://web/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set(name, value)
		if _, err := c.Do(req); err == nil { // this server forwards no ports
			t.Errorf("%s went through the API server", name)
		}
	}
}
