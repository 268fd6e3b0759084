package client

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/sluice-cd/sluice"
)

// A Resource is how the API server serves a kind.
type Resource struct {
	schema.GroupVersionResource
	Kind         string
	Namespaced   bool
	Subresources []string // such as scale and status
}

// Has reports whether the resource has the subresource.
func (r Resource) Has(subresource string) bool { return slices.Contains(r.Subresources, subresource) }

// Path returns the path of the resource in the namespace, "" for all namespaces.
func (r Resource) Path(namespace string) string {
	if !r.Namespaced {
		namespace = ""
	}
	return Path(r.GroupVersion().String(), namespace, r.Resource)
}

// kinds remembers which kinds the cluster serves. Each group version is read when it is first needed, and again
// when a kind is unknown, since its definition may be new.
type kinds struct {
	mu       sync.Mutex
	served   map[string]map[string]Resource // by apiVersion, then by kind
	expected map[string]time.Time           // by apiVersion/kind of new definitions: how long to wait for them
}

// Find returns how the kind is served. A kind that the cluster does not know is Unsupported and named.
func (c *Client) Find(ctx context.Context, apiVersion, kind string) (Resource, error) {
	if r, ok := c.kinds.find(apiVersion, kind); ok {
		return r, nil
	}
	for delay := 50 * time.Millisecond; ; delay = min(2*delay, time.Second) {
		if err := c.readKinds(ctx, apiVersion); err != nil {
			return Resource{}, err
		}
		if r, ok := c.kinds.find(apiVersion, kind); ok {
			return r, nil
		}
		if !c.kinds.isExpected(apiVersion, kind) {
			return Resource{}, unknownKind(apiVersion, kind)
		}
		// There is no event for the moment when the API server begins to serve an established definition.
		select {
		case <-ctx.Done():
			return Resource{}, ctx.Err()
		case <-time.After(delay):
		}
	}
}

func unknownKind(apiVersion, kind string) error {
	return sluice.Errorf(sluice.Unsupported, "the cluster does not know the kind %s of %s", kind, apiVersion).
		WithHint("install its CustomResourceDefinition, or correct apiVersion; list the kinds with: kubectl api-resources")
}

func (k *kinds) find(apiVersion, kind string) (Resource, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	r, ok := k.served[apiVersion][kind]
	return r, ok
}

func (k *kinds) isExpected(apiVersion, kind string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	until, ok := k.expected[apiVersion+"/"+kind]
	if ok && time.Now().After(until) {
		delete(k.expected, apiVersion+"/"+kind)
		return false
	}
	return ok
}

// forget makes Find read the group version again.
func (k *kinds) forget(apiVersion string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.served, apiVersion)
}

// Expect makes Find wait for the kind of a CustomResourceDefinition that was just written.
func (c *Client) Expect(definition sluice.Object, until time.Time) {
	group, kind := definition.Text("spec", "group"), definition.Text("spec", "names", "kind")
	c.kinds.mu.Lock()
	defer c.kinds.mu.Unlock()
	for _, v := range definition.List("spec", "versions") {
		if v["served"] == true {
			c.kinds.expected[group+"/"+v.Text("name")+"/"+kind] = until
			delete(c.kinds.served, group+"/"+v.Text("name"))
		}
	}
}

// resourceList is the part of an APIResourceList that is kept.
type resourceList struct {
	Resources []struct {
		Name       string `json:"name"`
		Kind       string `json:"kind"`
		Namespaced bool   `json:"namespaced"`
	} `json:"resources"`
}

// readKinds reads what the cluster serves under apiVersion, which is nothing if it does not know that.
func (c *Client) readKinds(ctx context.Context, apiVersion string) error {
	gv, err := schema.ParseGroupVersion(apiVersion)
	if err != nil || gv.Version == "" {
		return sluice.Errorf(sluice.Invalid, "%q is not an apiVersion", apiVersion).
			WithHint("write it like v1 or apps/v1")
	}
	path := "/apis/" + gv.String()
	if gv.Group == "" {
		path = "/api/" + gv.Version
	}
	var list resourceList
	err = c.Call(ctx, Request{Op: "read the cluster's kinds of " + apiVersion, Path: path, Into: &list})
	if err != nil && !HasStatus(err, http.StatusNotFound) {
		return err
	}
	c.kinds.mu.Lock()
	defer c.kinds.mu.Unlock()
	c.kinds.served[apiVersion] = resources(gv, list)
	return nil
}

func resources(gv schema.GroupVersion, list resourceList) map[string]Resource {
	byKind, kindOf := map[string]Resource{}, map[string]string{}
	for _, r := range list.Resources {
		if !strings.Contains(r.Name, "/") {
			byKind[r.Kind] = Resource{gv.WithResource(r.Name), r.Kind, r.Namespaced, nil}
			kindOf[r.Name] = r.Kind
		}
	}
	for _, r := range list.Resources {
		name, sub, ok := strings.Cut(r.Name, "/")
		if k, known := byKind[kindOf[name]]; ok && known {
			k.Subresources = append(k.Subresources, sub)
			byKind[k.Kind] = k
		}
	}
	return byKind
}
