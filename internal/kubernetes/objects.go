package kubernetes

import (
	"context"
	"net/url"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice"
)

// objects is the store of kinds that say everything themselves.
type objects struct {
	account   *Account
	resource  resource
	namespace string
	topic     *topic
}

// storeFor returns what keeps the kind's objects.
func (a *Account) storeFor(r resource, namespace string, t *topic) store {
	o := &objects{a, r, namespace, t}
	if isWorkload(r) {
		return newWorkloads(o)
	}
	return o
}

func (s *objects) feed(ctx context.Context) error {
	f := feed[sluice.Object]{account: s.account, op: "watch " + s.resource.kind, path: s.resource.path(s.namespace), query: url.Values{}, sink: s}
	return f.run(ctx)
}

func (s *objects) replace(items []sluice.Object, version string) {
	for i := range items {
		items[i] = s.lean(items[i])
	}
	s.topic.mu.Lock()
	defer s.topic.mu.Unlock()
	s.topic.replace(items, version)
}

func (s *objects) set(o sluice.Object) {
	o = s.lean(o)
	s.topic.mu.Lock()
	defer s.topic.mu.Unlock()
	s.topic.set(o)
}

func (s *objects) drop(o sluice.Object) {
	s.topic.mu.Lock()
	defer s.topic.mu.Unlock()
	s.topic.remove(s.lean(o))
}

// lean names the kind, which lists leave out, and drops who owns what, which nobody watches for.
func (s *objects) lean(o sluice.Object) sluice.Object {
	o["apiVersion"], o["kind"] = s.resource.GroupVersion().String(), s.resource.kind
	if meta, ok := o["metadata"].(map[string]any); ok {
		delete(meta, "managedFields")
	}
	return o
}

// path returns where the resource is served.
func (r resource) path(namespace string) string {
	if !r.namespaced {
		namespace = ""
	}
	return namespaced(r.GroupVersion().String(), namespace, r.Resource)
}

func objectOf(o any) sluice.Object {
	u, ok := o.(*unstructured.Unstructured)
	if !ok {
		return nil
	}
	return u.Object
}
