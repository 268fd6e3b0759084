package kubernetes

import (
	"cmp"
	"context"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice"
)

// List returns the objects by namespace and name.
func (a *Account) List(ctx context.Context, apiVersion, kind, namespace string) ([]sluice.Object, error) {
	r, err := a.mapper.find(ctx, apiVersion, kind)
	if sluice.ErrorCode(err) == sluice.Unsupported {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	client := a.dynamic.Resource(r.GroupVersionResource).Namespace(namespace)
	if !r.namespaced {
		client = a.dynamic.Resource(r.GroupVersionResource)
	}
	var list []sluice.Object
	options := metav1.ListOptions{Limit: pageSize}
	for {
		page, err := client.List(ctx, options)
		if apierrors.IsResourceExpired(err) && options.Continue != "" {
			// What the first pages said is too old to go on from.
			list, options.Continue = nil, ""
			options.Limit = 0
			continue
		}
		if isUnserved(err) {
			a.mapper.forget(apiVersion)
			return nil, nil
		}
		if err != nil {
			return nil, mapError("list "+kind, err)
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
