package kubernetes_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	kjson "sigs.k8s.io/json"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes"
)

// A server answers single requests as an API server does. It runs no controllers: what a cluster makes of a request is
// tested in e2e/.
type server struct {
	*testing.T
	*kubernetes.Account
	mu      sync.Mutex
	answers map[string][]answer // by request, in turn
	lists   map[string]answer   // by path, what a list answers if no answer is left; a watch of it tells nothing
	kept    *state              // answers the other requests; nil: there are none
	got     []request
}

// An answer is what the server says. A watch stays open after its frames, unless the answer ends it.
type answer struct {
	status int // 0: 200
	body   string
	header [2]string
	ends   bool
	when   <-chan struct{} // nil: at once

	then func() // is called when it is given

	optional bool // it need not be asked for
}

// A request is what the account sent.
type request struct{ line, query, body string }

// kinds are answers to the discovery of some kinds.
var kinds = map[string]string{
	"/api/v1": `{"kind":"APIResourceList","groupVersion":"v1","resources":[
		{"name":"configmaps","kind":"ConfigMap","namespaced":true},{"name":"pods","kind":"Pod","namespaced":true},
		{"name":"services","kind":"Service","namespaced":true},{"name":"secrets","kind":"Secret","namespaced":true},
		{"name":"namespaces","kind":"Namespace"}]}`,
	"/apis/example.com/v1alpha1": `{"kind":"APIResourceList","groupVersion":"example.com/v1alpha1","resources":[]}`,
	"/apis/networking.istio.io/v1": `{"kind":"APIResourceList","groupVersion":"networking.istio.io/v1","resources":[
		{"name":"virtualservices","kind":"VirtualService","namespaced":true},
		{"name":"destinationrules","kind":"DestinationRule","namespaced":true}]}`,
	"/apis/gateway.networking.k8s.io/v1": `{"kind":"APIResourceList","groupVersion":"gateway.networking.k8s.io/v1",
		"resources":[{"name":"httproutes","kind":"HTTPRoute","namespaced":true}]}`,
	"/apis/apps/v1": `{"kind":"APIResourceList","groupVersion":"apps/v1","resources":[
		{"name":"deployments","kind":"Deployment","namespaced":true},
		{"name":"deployments/scale","kind":"Scale","namespaced":true},
		{"name":"deployments/status","kind":"Deployment","namespaced":true},
		{"name":"replicasets","kind":"ReplicaSet","namespaced":true},
		{"name":"statefulsets","kind":"StatefulSet","namespaced":true}]}`,
}

// serve starts a server and an account of it. At the end the account must have sent every request that has an answer.
func serve(t *testing.T) *server {
	t.Helper()
	s := &server{T: t, answers: map[string][]answer{}, lists: map[string]answer{}}
	h := httptest.NewServer(http.HandlerFunc(s.handle))
	file := filepath.Join(t.TempDir(), "kubeconfig")
	config := fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: c\n"+
		"clusters: [{name: c, cluster: {server: %q}}]\ncontexts: [{name: c, context: {cluster: c}}]\n", h.URL)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := kubernetes.Open(t.Context(), kubernetes.Options{Name: "east", Kubeconfig: file})
	if err != nil {
		t.Fatal(err)
	}
	s.Account = a
	t.Cleanup(func() {
		_ = a.Close()
		h.CloseClientConnections()
		h.Close()
		for line, left := range s.answers {
			if len(left) > 0 && !left[0].optional {
				t.Errorf("%s was sent %d times less than it should", line, len(left))
			}
		}
	})
	return s
}

// on adds answers to requests such as "GET /api/v1/pods" or "WATCH /api/v1/pods".
func (s *server) on(line string, answers ...answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[line] = append(s.answers[line], answers...)
}

// has makes the objects the answer to every list of the path.
func (s *server) has(path string, items ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lists[path] = list("1", items...)
}

// soon returns a context that ends before a test hangs.
func (s *server) soon() context.Context {
	ctx, cancel := context.WithTimeout(s.Context(), 20*time.Second)
	s.Cleanup(cancel)
	return ctx
}

// may is on for requests that run beside others and may not have been sent when the test ends.
func (s *server) may(line string, answers ...answer) {
	for i := range answers {
		answers[i].optional = true
	}
	s.on(line, answers...)
}

func (s *server) handle(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if list, ok := kinds[r.URL.Path]; ok && r.Method == http.MethodGet {
		fmt.Fprint(w, list)
		return
	}
	a, ok := s.take(r)
	if !ok {
		s.Errorf("%s %s is not expected", r.Method, r.URL)
		w.WriteHeader(http.StatusTeapot)
		return
	}
	if a.then != nil {
		a.then()
	}
	if a.when != nil {
		select {
		case <-a.when:
		case <-r.Context().Done():
		}
	}
	if a.header[0] != "" {
		w.Header().Set(a.header[0], a.header[1])
	}
	if a.status != 0 {
		w.WriteHeader(a.status)
	}
	fmt.Fprint(w, a.body)
	if r.URL.Query().Get("watch") != "" && !a.ends && a.status == 0 {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
}

func (s *server) take(r *http.Request) (answer, bool) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.Error(err)
	}
	line := r.Method + " " + r.URL.Path
	if r.URL.Query().Get("watch") != "" {
		line = "WATCH " + r.URL.Path
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, request{line, r.URL.RawQuery, string(body)})
	if len(s.answers[line]) == 0 {
		if a, ok := s.lists[r.URL.Path]; ok {
			if strings.HasPrefix(line, "WATCH ") {
				a = answer{}
			}
			return a, true
		}
		if s.kept == nil {
			return answer{}, false
		}
		return s.kept.answer(r, body), true
	}
	a := s.answers[line][0]
	s.answers[line] = s.answers[line][1:]
	return a, true
}

// sent returns the requests so far that begin with the prefix.
func (s *server) sent(prefix string) []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.got), func(r request) bool { return !strings.HasPrefix(r.line, prefix) })
}

// order checks which requests were sent.
func (s *server) order(want ...string) {
	s.Helper()
	var got []string
	for _, r := range s.sent("") {
		got = append(got, r.line)
	}
	if d := cmp.Diff(want, got); d != "" {
		s.Errorf("requests (-want +got):\n%s", d)
	}
}

// failure is a Status as an API server answers it. More is what its details have besides.
func failure(code int, reason, message, details string) answer {
	return answer{status: code, body: fmt.Sprintf(
		`{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":%q,"reason":%q,"details":{%s},
			"code":%d}`,
		message, reason, details, code)}
}

func notFound(plural, name string) answer {
	return failure(404, "NotFound", plural+" \""+name+"\" not found", `"name":"`+name+`","kind":"`+plural+`"`)
}

// modified is the answer to a write of something that somebody else wrote meanwhile.
func modified(plural, name string) answer {
	return failure(409, "Conflict", "Operation cannot be fulfilled on "+plural+" \""+name+"\": the object has been "+
		"modified; please apply your changes to the latest version and try again",
		`"name":"`+name+`","kind":"`+plural+`"`)
}

// owned is the answer to an apply of fields that somebody else owns.
func owned(plural, name string, fields ...[2]string) answer {
	var causes []string
	for _, f := range fields {
		causes = append(causes, fmt.Sprintf(`{"reason":"FieldManagerConflict","message":"conflict with \"%s\" using v1",`+
			`"field":%q}`, f[1], f[0]))
	}
	return failure(409, "Conflict", fmt.Sprintf("Apply failed with %d conflicts", len(fields)),
		`"name":"`+name+`","kind":"`+plural+`","causes":[`+strings.Join(causes, ",")+`]`)
}

func frame(kind, object string) string { return `{"type":"` + kind + `","object":` + object + "}\n" }

func list(version string, items ...string) answer {
	return answer{body: `{"kind":"List","metadata":{"resourceVersion":"` + version + `"},"items":[` +
		strings.Join(items, ",") + `]}`}
}

func object(t *testing.T, text string) sluice.Object {
	t.Helper()
	var o sluice.Object
	if err := kjson.UnmarshalCaseSensitivePreserveInts([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

func wantError(t *testing.T, err error, code sluice.Code, text string) {
	t.Helper()
	if sluice.ErrorCode(err) != code || err != nil && !strings.Contains(err.Error(), text) {
		t.Errorf("the error is %v (%s), want %s with %q", err, sluice.ErrorCode(err), code, text)
	}
}

func text(t *testing.T, o sluice.Object) string {
	t.Helper()
	data, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
