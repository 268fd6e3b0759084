package kubernetes

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/sluice-cd/sluice"
)

// A resource is how the API server serves a kind.
type resource struct {
	schema.GroupVersionResource
	kind         string
	namespaced   bool
	subresources []string // such as scale and status
}

func (r resource) has(subresource string) bool { return slices.Contains(r.subresources, subresource) }

// A mapper knows which kinds the cluster serves. Only the groups that are asked for are read, each once; again when
// a kind is unknown, since its definition may have come meanwhile.
type mapper struct {
	config *rest.Config
	http   *http.Client

	mu       sync.Mutex
	groups   map[string]map[string]resource // by apiVersion, then by kind
	expected map[string]time.Time           // apiVersion/kind of definitions just written: until when to wait for them
}

func newMapper(c *rest.Config, h *http.Client) *mapper {
	return &mapper{config: c, http: h, groups: map[string]map[string]resource{}, expected: map[string]time.Time{}}
}

// find returns how the kind is served. A kind that the cluster does not know is Unsupported and named.
func (m *mapper) find(ctx context.Context, apiVersion, kind string) (resource, error) {
	if r, ok := m.known(apiVersion, kind); ok {
		return r, nil
	}
	for delay := 50 * time.Millisecond; ; delay = min(2*delay, time.Second) {
		if err := m.read(ctx, apiVersion); err != nil {
			return resource{}, err
		}
		if r, ok := m.known(apiVersion, kind); ok {
			return r, nil
		}
		if !m.isExpected(apiVersion, kind) {
			return resource{}, unknownKind(apiVersion, kind)
		}
		// Nothing tells when the API server begins to serve a definition that it calls established.
		select {
		case <-ctx.Done():
			return resource{}, ctx.Err()
		case <-time.After(delay):
		}
	}
}

func unknownKind(apiVersion, kind string) error {
	return sluice.Errorf(sluice.Unsupported, "the cluster does not know the kind %s of %s", kind, apiVersion).
		WithHint("install its CustomResourceDefinition or correct apiVersion; what there is: kubectl api-resources")
}

func (m *mapper) known(apiVersion, kind string) (resource, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.groups[apiVersion][kind]
	return r, ok
}

// expect makes find wait for the kinds of a definition that was written just now.
func (m *mapper) expect(definition sluice.Object, until time.Time) {
	group, kind := definition.Text("spec", "group"), definition.Text("spec", "names", "kind")
	versions, _ := definition.Field("spec", "versions").([]any)
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, v := range versions {
		if e, ok := v.(map[string]any); ok && e["served"] == true {
			version, _ := e["name"].(string)
			m.expected[group+"/"+version+"/"+kind] = until
			delete(m.groups, group+"/"+version)
		}
	}
}

func (m *mapper) isExpected(apiVersion, kind string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	until, ok := m.expected[apiVersion+"/"+kind]
	if ok && time.Now().After(until) {
		delete(m.expected, apiVersion+"/"+kind)
		return false
	}
	return ok
}

// forget makes find read the group again.
func (m *mapper) forget(apiVersion string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.groups, apiVersion)
}

// read fetches what the cluster serves under apiVersion; nothing, if it does not know it.
func (m *mapper) read(ctx context.Context, apiVersion string) error {
	gv, err := schema.ParseGroupVersion(apiVersion)
	if err != nil || gv.Version == "" {
		return sluice.Errorf(sluice.Invalid, "%q is no apiVersion", apiVersion).WithHint("write it like v1 or apps/v1")
	}
	found, err := m.fetch(ctx, gv)
	if err != nil && !apierrors.IsNotFound(err) {
		return mapError("ask the cluster for its kinds of "+apiVersion, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.groups[apiVersion] = found
	return nil
}

// A servedList is as much of an APIResourceList as is kept.
type servedList struct {
	Resources []struct {
		Name       string `json:"name"`
		Kind       string `json:"kind"`
		Namespaced bool   `json:"namespaced"`
	} `json:"resources"`
}

func (m *mapper) fetch(ctx context.Context, gv schema.GroupVersion) (map[string]resource, error) {
	base, _, err := rest.DefaultServerUrlFor(m.config)
	if err != nil {
		return nil, err
	}
	path := "/apis/" + gv.String()
	if gv.Group == "" {
		path = "/api/" + gv.Version
	}
	u := *base
	u.Path = strings.TrimRight(base.Path, "/") + path
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := m.http.Do(req)
	if err != nil {
		return nil, unwrapURL(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, statusError(resp, http.MethodGet)
	}
	var list servedList
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&list); err != nil {
		return nil, err
	}
	return resources(gv, list), nil
}

func resources(gv schema.GroupVersion, list servedList) map[string]resource {
	kinds, kindOf := map[string]resource{}, map[string]string{}
	for _, r := range list.Resources {
		if !strings.Contains(r.Name, "/") {
			kinds[r.Kind] = resource{GroupVersionResource: gv.WithResource(r.Name), kind: r.Kind, namespaced: r.Namespaced}
			kindOf[r.Name] = r.Kind
		}
	}
	for _, r := range list.Resources {
		name, sub, ok := strings.Cut(r.Name, "/")
		if k, known := kinds[kindOf[name]]; ok && known {
			k.subresources = append(k.subresources, sub)
			kinds[k.kind] = k
		}
	}
	return kinds
}
