package kubernetes_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/traffic"
)

// A state is the objects of the namespace shop as an API server keeps them. It answers reads by label and merge
// patches, which it refuses if they name another version than the object has. The endpoints of Services are the ready
// pods that they select at each moment.
type state struct {
	mu      sync.Mutex
	objects map[string]sluice.Object // by path
	version int
}

// keep lets the server answer for the objects whatever has no scripted answer.
func (s *server) keep(objects ...string) {
	s.kept = &state{objects: map[string]sluice.Object{}}
	for _, text := range objects {
		o := object(s.T, text)
		ref := o.Ref()
		prefix := map[bool]string{true: "/api/v1", false: "/apis/" + ref.APIVersion}[ref.APIVersion == "v1"]
		s.kept.store(prefix+"/namespaces/shop/"+strings.ToLower(ref.Kind)+"s/"+ref.Name, o)
	}
}

// now returns the object of the namespace as it is.
func (s *server) now(plural, name string) sluice.Object {
	s.kept.mu.Lock()
	defer s.kept.mu.Unlock()
	return s.kept.objects["/api/v1/namespaces/shop/"+plural+"/"+name]
}

func (s *state) store(path string, o sluice.Object) {
	s.version++
	o.Set(fmt.Sprint(s.version), "metadata", "resourceVersion")
	s.objects[path] = o
}

// answer answers the request.
func (s *state) answer(r *http.Request, body []byte) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.objects[r.URL.Path]
	switch plural := path.Base(r.URL.Path); {
	case r.URL.Query().Get("watch") != "":
		return failure(403, "Forbidden", "there is no right to watch", "") // everything is read as it is
	case plural == "endpointslices":
		return s.endpoints()
	case !ok && slices.Contains([]string{"pods", "services", "replicasets"}, plural):
		return s.list(r)
	case !ok:
		return notFound(path.Base(path.Dir(r.URL.Path)), plural)
	case r.Method == http.MethodPatch:
		return s.patch(r.URL.Path, o, body)
	}
	return encoded(o)
}

func encoded(o sluice.Object) answer {
	data, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	return answer{body: string(data)}
}

func (s *state) list(r *http.Request) answer {
	selector, err := labels.Parse(r.URL.Query().Get("labelSelector"))
	if err != nil {
		return failure(400, "BadRequest", err.Error(), "")
	}
	var items []string
	for at, o := range s.objects {
		if path.Dir(at) == r.URL.Path && selector.Matches(labels.Set(traffic.Labels(o.Field("metadata", "labels")))) {
			items = append(items, encoded(o).body)
		}
	}
	slices.Sort(items)
	return list(fmt.Sprint(s.version), items...)
}

func (s *state) patch(at string, o sluice.Object, body []byte) answer {
	var patch map[string]any
	if err := json.Unmarshal(body, &patch); err != nil {
		return failure(400, "BadRequest", err.Error(), "")
	}
	next := o.Clone()
	merge(next, patch)
	if next.Text("metadata", "resourceVersion") != o.Text("metadata", "resourceVersion") {
		return modified(path.Base(path.Dir(at)), path.Base(at))
	}
	s.store(at, next)
	return encoded(next)
}

// merge applies a JSON merge patch.
func merge(into, patch map[string]any) {
	for k, v := range patch {
		if v == nil {
			delete(into, k)
			continue
		}
		m, isMap := v.(map[string]any)
		was, both := into[k].(map[string]any)
		if isMap && both {
			merge(was, m)
			continue
		}
		into[k] = v
	}
}

func (s *state) endpoints() answer {
	var pods []sluice.Object
	for at, o := range s.objects {
		if path.Dir(at) == podsPath {
			pods = append(pods, o)
		}
	}
	var all []string
	for at, service := range s.objects {
		if path.Dir(at)+"/" == servicePath {
			selector := traffic.Labels(service.Field("spec", "selector"))
			all = append(all, endpointsOf(path.Base(at), traffic.Ready(pods, selector)...))
		}
	}
	return list(fmt.Sprint(s.version), all...)
}
