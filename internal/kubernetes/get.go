package kubernetes

import (
	"context"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"

	"github.com/sluice-cd/sluice"
)

// Get returns the object with its status. A workload that is not ready says why its pods wait.
func (a *Account) Get(ctx context.Context, ref sluice.Ref) (sluice.Object, error) {
	r, err := a.mapper.find(ctx, ref.APIVersion, ref.Kind)
	if err != nil {
		return nil, err
	}
	o, err := a.read(ctx, r, ref)
	if err != nil {
		return nil, err
	}
	return a.explain(ctx, r, o)
}

// read returns the object as it is stored.
func (a *Account) read(ctx context.Context, r resource, ref sluice.Ref) (sluice.Object, error) {
	u, err := a.client(r, ref.Namespace).Get(ctx, ref.Name, metav1.GetOptions{})
	if isUnserved(err) {
		a.mapper.forget(ref.APIVersion)
		return nil, unknownKind(ref.APIVersion, ref.Kind)
	}
	if err != nil {
		return nil, mapError("read "+ref.String(), err)
	}
	a.hub.saw(r, u.Object)
	return u.Object, nil
}

// client returns the resource in the namespace; what has none is never asked for in one.
func (a *Account) client(r resource, namespace string) dynamic.ResourceInterface {
	c := a.dynamic.Resource(r.GroupVersionResource)
	if !r.namespaced {
		return c
	}
	return c.Namespace(orDefaultNamespace(namespace))
}

func orDefaultNamespace(namespace string) string {
	if namespace == "" {
		return metav1.NamespaceDefault
	}
	return namespace
}

// isUnserved reports whether the API server does not know the resource any more, rather than the object.
func isUnserved(err error) bool {
	if !apierrors.IsNotFound(err) {
		return false
	}
	s, ok := err.(apierrors.APIStatus)
	if !ok {
		return false
	}
	d := s.Status().Details
	return s.Status().Code == http.StatusNotFound && (d == nil || d.Name == "" || apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse))
}
