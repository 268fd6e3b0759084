// Package watch reads objects and follows their changes. All watches of a kind in a namespace share one connection, as
// with the informers of client-go. Workloads get conditions that say why their pods are not ready. Start at [Reader].
package watch

import (
	"context"
	"iter"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// A Reader reads and watches the objects of a cluster. It is safe for concurrent use.
type Reader struct {
	client    *client.Client
	informers *Informers
}

// NewReader returns a reader over informers, which it shares with the writers.
func NewReader(c *client.Client, i *Informers) *Reader { return &Reader{c, i} }

// Get returns the object with its status. A workload that is not ready gets a condition that says why its pods wait.
func (r *Reader) Get(ctx context.Context, ref sluice.Ref) (sluice.Object, error) {
	o, err := r.client.Resolve(ctx, ref)
	if err != nil {
		return nil, err
	}
	known, told := r.informers.Known(ctx, o)
	switch {
	case told && known == nil:
		return nil, absent(o)
	case told && manifest.Status(known).Phase == manifest.Ready:
		return known, nil
	}
	live, err := r.informers.ReadLive(ctx, o)
	if err != nil {
		return nil, err
	}
	return r.explain(ctx, o.Resource, live)
}

// List returns the objects by namespace and name, with managedFields or without. Nobody may change them. There are none
// if the cluster does not know the kind.
func (r *Reader) List(ctx context.Context, apiVersion, kind, namespace string) ([]sluice.Object, error) {
	resource, err := r.client.Find(ctx, apiVersion, kind)
	if err == nil {
		if list, ok := r.informers.list(ctx, resource, namespace); ok {
			return list, nil
		}
	}
	return r.client.List(ctx, apiVersion, kind, namespace)
}

// Watch yields states at least as new as what this account wrote or read before. All watches of a kind in a namespace
// share a connection and the objects that it yields, which nobody may change. The objects have no managedFields. A slow
// caller misses states in between. If the API server is away for longer than a moment, the watch ends with Unavailable.
func (r *Reader) Watch(ctx context.Context, apiVersion, kind, namespace string) iter.Seq2[sluice.Object, error] {
	return r.Follow(ctx, sluice.Ref{APIVersion: apiVersion, Kind: kind, Namespace: namespace})
}

// Follow is Watch for one object. A change of the object wakes only those who follow it, however many objects are
// followed.
func (r *Reader) Follow(ctx context.Context, ref sluice.Ref) iter.Seq2[sluice.Object, error] {
	return func(yield func(sluice.Object, error) bool) {
		resource, err := r.client.Find(ctx, ref.APIVersion, ref.Kind)
		if err != nil {
			yield(nil, err)
			return
		}
		l, leave := r.informers.join(resource, ref)
		defer leave()
		for {
			list, err := l.next(ctx)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, o := range list {
				if !yield(o, nil) {
					return
				}
			}
		}
	}
}
