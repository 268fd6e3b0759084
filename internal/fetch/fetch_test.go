package fetch

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
)

const served = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\n"

func trusting(c client) client {
	c.Transport.(*http.Transport).TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	return c
}

func TestFetch(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_,
			_ = w.Write([]byte(served))
	}))
	defer plain.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("/a.yaml", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(served)) })
	mux.HandleFunc("/on", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/a.yaml",
			http.StatusFound)
	})
	mux.HandleFunc("/down", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, plain.URL,
			http.StatusFound)
	})
	mux.HandleFunc("/round", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/round",
			http.StatusFound)
	})
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) {
		for range maxBytes>>20 + 1 {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				return
			}
		}
	})
	server := httptest.NewTLSServer(mux)
	defer server.Close()
	here := trusting(newClient(func(netip.Addr) bool { return true }))
	for path, want := range map[string]string{
		"/a.yaml": "", "/on": "", "/down": "without encryption", "/round": "more than 10 times",
		"/large": "larger than 16 MiB", "/absent": "404",
	} {
		data, err := here.get(server.URL + path)
		if want == "" && (err != nil || string(data) != served) || want != "" &&
			(err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %d bytes, %v; want %q", path, len(data), err, want)
		}
	}
	if _, err := trusting(newClient(public)).get(server.URL + "/a.yaml"); !isRefused(err) {
		t.Errorf("this machine was asked: %v", err)
	}
	// A name is judged by what it stands for.
	if _, err := trusting(newClient(public)).get(strings.Replace(server.URL, "127.0.0.1", "localhost",
		1)); !isRefused(err) {
		t.Errorf("this machine was asked by its name: %v", err)
	}
	if _, err := here.get(server.URL + "/absent?token=secret"); strings.Contains(err.Error(), "secret") {
		t.Errorf("the error shows the address: %v", err)
	}
}

// The address of a manifest may hold a token.
func TestRedirectDoesNotTellTheAddress(t *testing.T) {
	var referer string
	elsewhere := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		referer = r.Referer()
		_, _ = w.Write([]byte(served))
	}))
	defer elsewhere.Close()
	server := httptest.NewTLSServer(http.RedirectHandler(elsewhere.URL, http.StatusFound))
	defer server.Close()
	here := trusting(newClient(func(netip.Addr) bool { return true }))
	if data, err := here.get(server.URL + "/a.yaml?token=secret"); string(data) != served || err != nil || referer != "" {
		t.Errorf("got %q, %v; the other host was told %q", data, err, referer)
	}
}

func isRefused(err error) bool { return sluice.ErrorCode(err) == sluice.Denied }

func TestPublic(t *testing.T) {
	for _, address := range []string{"8.8.8.8", "2606:4700::1111"} {
		if !public(netip.MustParseAddr(address)) {
			t.Errorf("%s is not public", address)
		}
	}
	for _, address := range []string{
		"127.0.0.1", "::1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "::", "fe80::1%eth0",
		"fd00::1", "100.64.0.1", "224.0.0.1", "255.255.255.255", "64:ff9b::a00:1", "2002:a00:1::", "::127.0.0.1",
	} {
		if public(netip.MustParseAddr(address)) {
			t.Errorf("%s is public", address)
		}
	}
	if mapped := netip.MustParseAddr("::ffff:127.0.0.1"); public(mapped.Unmap()) {
		t.Error("a mapped loopback address is public")
	}
}
