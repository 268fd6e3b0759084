package watch

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
	"github.com/sluice-cd/sluice/internal/kubernetes/pod"
)

// record is a store that writes down what it is told.
type record struct{ told chan string }

func (r record) replace(items []pod.Pod, version string) {
	r.told <- fmt.Sprintf("replace %d at %s", len(items), version)
}
func (r record) set(p pod.Pod)  { r.told <- "set " + p.Metadata.Name }
func (r record) drop(p pod.Pod) { r.told <- "drop " + p.Metadata.Name }

var _ store[pod.Pod] = record{}

// A script is what an API server answers to each request in turn, and the request that it wants.
type script []struct {
	wants  string // list, list2 for a second page, or watch@version
	status int
	body   string
}

func (s script) serve(t *testing.T) *client.Client {
	t.Helper()
	var mu sync.Mutex
	next := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		q := r.URL.Query()
		got := "list"
		switch {
		case q.Get("watch") != "":
			got = "watch@" + q.Get("resourceVersion")
		case q.Get("continue") != "":
			got = "list2"
		}
		if next >= len(s) || s[next].wants != got {
			t.Errorf("request %d is %s", next, got)
			w.WriteHeader(http.StatusForbidden)
			return
		}
		if s[next].status != 0 {
			w.WriteHeader(s[next].status)
		}
		_, _ = w.Write([]byte(s[next].body))
		next++
	}))
	t.Cleanup(server.Close)
	c, err := client.New("test", &rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const (
	listed  = `{"metadata":{"resourceVersion":"10"},"items":[{"metadata":{"name":"a"}}]}`
	expired = `{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","code":410,"reason":"Expired"}}`
	denied  = `{"kind":"Status","apiVersion":"v1","code":403,"message":"no"}`
)

func happens(kind, name, version string) string {
	return `{"type":"` + kind + `","object":{"metadata":{"name":"` + name + `","resourceVersion":"` + version + `"}}}`
}

func TestReflector(t *testing.T) {
	for name, test := range map[string]struct {
		script script
		told   []string
		code   sluice.Code
	}{
		"pages, then changes until the server ends it": {script{
			{"list", 0, `{"metadata":{"resourceVersion":"9","continue":"x"},"items":[{"metadata":{"name":"a"}}]}`}, {"list2", 0,
				listed},
			{"watch@10", 0, happens("ADDED", "b", "11") + "\n" + happens("MODIFIED", "b", "12") + happens("DELETED", "b", "13")},
			{"list", 0, listed}, {"watch@10", 403, denied},
		}, []string{"replace 2 at 10", "set b", "set b", "drop b", "replace 1 at 10"}, sluice.Denied},
		"the server has forgotten": {script{
			{"list", 0, listed}, {"watch@10", 0, expired}, {"list", 0, listed}, {"watch@10", 410,
				`{"kind":"Status","apiVersion":"v1","code":410}`}, {"list", 0, listed}, {"watch@10", 403, denied},
		}, []string{"replace 1 at 10", "replace 1 at 10", "replace 1 at 10"}, sluice.Denied},
		"trouble that passes": {script{
			{"list", 0, listed}, {"watch@10", 500, "oops"}, {"list", 0, listed}, {"watch@10", 503, ""}, {"list", 503, ""},
			{"list", 0, listed}, {"watch@10", 0, happens("ADDED", "b", "11")[:40]}, {"list", 0, listed},
			{"watch@10", 403, denied},
		}, []string{"replace 1 at 10", "replace 1 at 10", "replace 1 at 10", "replace 1 at 10"}, sluice.Denied},
		"no right":          {script{{"list", 403, denied}}, nil, sluice.Denied},
		"away at once":      {script{{"list", 503, ""}}, nil, sluice.Unavailable},
		"what is no answer": {script{{"list", 0, "<html>"}}, nil, sluice.Unavailable},
		"trouble that stays": {script{
			{"list", 0, listed}, {"watch@10", 500, ""}, {"list", 500, ""}, {"list", 500, ""}, {"list", 500, ""},
			{"list", 500, ""}, {"list", 500, ""},
		}, []string{"replace 1 at 10"}, sluice.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := record{make(chan string, 100)}
			f := reflector[pod.Pod]{client: test.script.serve(t), op: "watch pods", path: "/api/v1/pods", query: url.Values{},
				version: func(p *pod.Pod) string { return p.Metadata.ResourceVersion }, store: r, position: newPosition()}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			err := f.run(ctx)
			if sluice.ErrorCode(err) != test.code {
				t.Errorf("it ends with %v (%s), want %s", err, sluice.ErrorCode(err), test.code)
			}
			close(r.told)
			var told []string
			for word := range r.told {
				told = append(told, word)
			}
			if d := cmp.Diff(test.told, told); d != "" {
				t.Errorf("told: -want +got\n%s", d)
			}
		})
	}
}
