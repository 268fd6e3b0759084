package inbound_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/internal/inbound"
)

// carryTo carries every request to the server.
type carryTo struct{ server *httptest.Server }

func (c carryTo) RoundTrip(r *http.Request) (*http.Response, error) {
	r.URL.Host = c.server.Listener.Addr().String()
	return http.DefaultTransport.RoundTrip(r)
}

func TestPreviews(t *testing.T) {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, leaked := r.Header["Cookie"]
		fmt.Fprintf(w, "%s %s %s cookie=%t", r.Method, r.Host, r.URL.RequestURI(), leaked)
	}))
	defer service.Close()
	now := time.Now()
	key := newWorld(t).key
	server := httptest.NewServer(inbound.NewPreviews(key,
		func(_ context.Context, p inbound.Preview) (http.RoundTripper, error) {
			if p.Account != "cluster01" || p.Port != 80 {
				t.Errorf("asked for %+v", p)
			}
			return carryTo{service}, nil
		}, func() time.Time { return now }))
	defer server.Close()
	url, err := inbound.PreviewURL(server.URL, key,
		inbound.Preview{Account: "cluster01", Namespace: "shop", Service: "web", Port: 80, Expires: now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	get := func(client *http.Client, url string) (int, string) {
		t.Helper()
		resp, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	stranger, person := &http.Client{}, &http.Client{Jar: jar}
	if status, _ := get(stranger, server.URL+"/static/a.css"); status != http.StatusNotFound {
		t.Errorf("a stranger gets %d", status)
	}
	if status, _ := get(stranger, strings.TrimSuffix(url, "/")+"A/"); status != http.StatusNotFound {
		t.Errorf("a wrong secret gets %d", status)
	}
	if status, body := get(person, url+"a%2Fb?q=1"); status != http.StatusOK ||
		body != "GET web.shop /a%2Fb?q=1 cookie=false" {
		t.Errorf("the preview answers %d %q", status, body)
	}
	if status, body := get(person, server.URL+"/static/a.css"); status != http.StatusOK ||
		body != "GET web.shop /static/a.css cookie=false" {
		t.Errorf("a file by its absolute path: %d %q", status, body)
	}
	now = now.Add(time.Hour)
	if status, _ := get(person, url); status != http.StatusGone {
		t.Errorf("after its time it answers %d", status)
	}
}
