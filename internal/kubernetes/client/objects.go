package client

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/sluice-cd/sluice"
)

// An ObjectRef names an object and says how the cluster serves its kind.
type ObjectRef struct {
	sluice.Ref
	Resource Resource
}

// Resolve finds out how the object's kind is served. A kind that the cluster does not know is Unsupported and named.
func (c *Client) Resolve(ctx context.Context, ref sluice.Ref) (ObjectRef, error) {
	r, err := c.Find(ctx, ref.APIVersion, ref.Kind)
	return ObjectRef{ref, r}, err
}

// Objects returns client-go's interface to the resource in the namespace of the reference.
func (c *Client) Objects(o ObjectRef) dynamic.ResourceInterface {
	all := c.dynamic.Resource(o.Resource.GroupVersionResource)
	if !o.Resource.Namespaced {
		return all
	}
	return all.Namespace(cmp.Or(o.Namespace, metav1.NamespaceDefault))
}

// Get returns the object as it is stored.
func (c *Client) Get(ctx context.Context, o ObjectRef) (sluice.Object, error) {
	u, err := c.Objects(o).Get(ctx, o.Name, metav1.GetOptions{})
	if isUnserved(err) {
		c.kinds.forget(o.APIVersion)
		return nil, unknownKind(o.APIVersion, o.Kind)
	}
	if err != nil {
		return nil, Wrap("read "+o.String(), err)
	}
	return u.Object, nil
}

// A Patch is a change of an object.
type Patch struct {
	Type        types.PatchType
	Data        []byte
	Options     metav1.PatchOptions
	Subresource string // "": the object itself
}

// Patch writes the change and returns the object. Its errors are those of the API server, but for an unknown kind.
func (c *Client) Patch(ctx context.Context, o ObjectRef, p Patch) (sluice.Object, error) {
	var subresources []string
	if p.Subresource != "" {
		subresources = []string{p.Subresource}
	}
	u, err := c.Objects(o).Patch(ctx, o.Name, p.Type, p.Data, p.Options, subresources...)
	if isUnserved(err) {
		c.kinds.forget(o.APIVersion)
		return nil, unknownKind(o.APIVersion, o.Kind)
	}
	if err != nil {
		return nil, err
	}
	return u.Object, nil
}

// Delete deletes the object, for the operation that errors name. If something holds the object back, it returns it as
// it is now, being deleted.
func (c *Client) Delete(ctx context.Context, op string, o ObjectRef, how metav1.DeleteOptions) (sluice.Object, error) {
	var answer sluice.Object
	err := c.Call(ctx, Request{
		Op: op, Method: http.MethodDelete, Body: how, Into: &answer,
		Path: o.Resource.Path(cmp.Or(o.Namespace, metav1.NamespaceDefault)) + "/" + o.Name,
	})
	if err != nil || answer.Text("metadata", "uid") == "" { // a Status
		return nil, err
	}
	return answer, nil
}

// List returns the objects of the kind in the namespace, "" for all, by namespace and name. There are none if the
// cluster does not know the kind.
func (c *Client) List(ctx context.Context, apiVersion, kind, namespace string) ([]sluice.Object, error) {
	r, err := c.Find(ctx, apiVersion, kind)
	if sluice.ErrorCode(err) == sluice.Unsupported {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var objects dynamic.ResourceInterface = c.dynamic.Resource(r.GroupVersionResource)
	if r.Namespaced {
		objects = c.dynamic.Resource(r.GroupVersionResource).Namespace(namespace)
	}
	var list []sluice.Object
	options := metav1.ListOptions{Limit: pageSize}
	for {
		page, err := objects.List(ctx, options)
		if apierrors.IsResourceExpired(err) && options.Continue != "" {
			// The first pages are too old to continue from. Read all at once instead.
			list, options = nil, metav1.ListOptions{}
			continue
		}
		if isUnserved(err) {
			c.kinds.forget(apiVersion)
			return nil, nil
		}
		if err != nil {
			return nil, Wrap("list "+kind, err)
		}
		for i := range page.Items {
			list = append(list, page.Items[i].Object)
		}
		if options.Continue = page.GetContinue(); options.Continue == "" {
			break
		}
	}
	slices.SortFunc(list, func(a, b sluice.Object) int {
		x, y := a.Ref(), b.Ref()
		return cmp.Or(cmp.Compare(x.Namespace, y.Namespace), cmp.Compare(x.Name, y.Name))
	})
	return list, nil
}

// isUnserved reports whether the API server does not know the resource any more, rather than the object.
func isUnserved(err error) bool {
	if !HasStatus(err, http.StatusNotFound) {
		return false
	}
	s, ok := err.(apierrors.APIStatus)
	if !ok {
		return false
	}
	d := s.Status().Details
	return d == nil || d.Name == "" || apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse)
}
