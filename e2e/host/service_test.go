package host_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
)

func get(t *testing.T, c *http.Client, url string, headers map[string]string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	must(t, err)
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	resp, err := c.Do(req)
	must(t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	must(t, err)
	return string(data)
}

// fresh opens a connection for every request.
func fresh() *http.Client { return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} }

func TestAddress(t *testing.T) {
	w := newWorld(t)
	w.serving(2)
	address, err := w.Address(w.ctx, w.namespace, "web", 80)
	must(t, err)
	again, err := w.Address(w.ctx, w.namespace, "web", 80)
	if again != address || err != nil {
		t.Errorf("first at %s, then at %s, %v", address, again, err)
	}
	for range 3 {
		if got := get(t, fresh(), "http://"+address+"/x?y=1",
			map[string]string{"Authorization": "Bearer theirs"}); !strings.Contains(got, "GET /x?y=1 auth=Bearer theirs") {
			t.Error(got)
		}
	}
	first, _, _ := strings.Cut(get(t, fresh(), "http://"+address, nil), " ")
	must(t, w.Delete(w.ctx, sluice.Ref{APIVersion: "v1", Kind: "Pod", Namespace: w.namespace, Name: first}))
	if second, _, _ := strings.Cut(get(t, fresh(), "http://"+address, nil), " "); second == first || second == "" {
		t.Errorf("after %s had gone, %q answers", first, second)
	}
	_, err = w.Address(w.ctx, w.namespace, "web", 81)
	w.wants(err, sluice.NotFound, "81", "its ports are: 80")
	_, err = w.Address(w.ctx, w.namespace, "wob", 80)
	w.wants(err, sluice.NotFound, "wob")
	must(t, w.Close())
	if c, err := net.Dial("tcp", address); err == nil {
		c.Close()
		t.Error("the port is still open after Close")
	}
}

func TestAddressWithoutReadyPods(t *testing.T) {
	w := newWorld(t)
	w.serving(1)
	pods, err := w.Pods(w.ctx, w.namespace)
	must(t, err)
	_, err = w.Exec(w.ctx, w.namespace, pods[0].Name, []string{"/talker", "unready"})
	must(t, err)
	w.await(func(pods []sluice.Pod) bool { return ready(pods) == 0 })
	address, err := w.Address(w.ctx, w.namespace, "web", 80)
	must(t, err)
	if resp, err := fresh().Get("http://" + address); err == nil {
		resp.Body.Close()
		t.Error("a pod that is not ready answers")
	}
}

func TestManyConnections(t *testing.T) {
	w := newWorld(t)
	w.serving(1)
	address, err := w.Address(w.ctx, w.namespace, "web", 80)
	must(t, err)
	const callers = 20
	done := make(chan error, callers)
	for i := range callers {
		go func() {
			path := fmt.Sprintf("/caller/%d", i)
			resp, err := fresh().Get("http://" + address + path)
			if err != nil {
				done <- err
				return
			}
			defer resp.Body.Close()
			data, err := io.ReadAll(resp.Body)
			if err == nil && !strings.Contains(string(data), path+" ") {
				err = fmt.Errorf("%s was answered with %q", path, data)
			}
			done <- err
		}()
	}
	for range callers {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestTransport(t *testing.T) {
	w := newWorld(t)
	w.serving(1)
	rt, err := w.Transport(w.ctx, w.namespace, "web", 80)
	must(t, err)
	c := &http.Client{Transport: rt}
	if got := get(t, c, "http://web/a/b?c=d", map[string]string{"X-Own": "kept"}); !strings.HasSuffix(got,
		"GET /a/b?c=d auth= x=kept") {
		t.Error(got)
	}
	if got := get(t, c, "http://web/a", map[string]string{"Authorization": "Basic abc"}); !strings.Contains(got,
		"auth=Basic abc") {
		t.Error(got)
	}
	if got := get(t, c, "http://web/away", nil); got != `<a href="/next">next</a>` {
		t.Errorf("the page is %q", got)
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := c.Get("http://web/away")
	must(t, err)
	resp.Body.Close()
	if got := resp.Header.Get("Location"); got != "/page?from=away" {
		t.Errorf("redirected to %q", got)
	}
	must(t, w.Scale(w.ctx, sluice.Ref{APIVersion: "apps/v1", Kind: "Deployment", Namespace: w.namespace, Name: "web"}, 0))
	w.await(func(pods []sluice.Pod) bool { return len(pods) == 0 })
	_, err = c.Get("http://web/")
	w.wants(err, sluice.Unavailable)
}
