package kubernetes

import (
	"context"
	"iter"

	"github.com/sluice-cd/sluice"
)

// Watch tells of a state at least as new as what this account wrote or read before. All who watch one kind in one
// namespace share one connection and the objects that it yields: they must not be changed. Who owns which field is
// left out of them. A caller who is slow misses states in between. When the API server is away for longer than a
// moment, the watch ends with Unavailable.
func (a *Account) Watch(ctx context.Context, apiVersion, kind, namespace string) iter.Seq2[sluice.Object, error] {
	return a.follow(ctx, sluice.Ref{APIVersion: apiVersion, Kind: kind, Namespace: namespace})
}

// Follow is Watch for the one object that ref names. However many follow an object each, a change of one wakes
// only those who follow it.
func (a *Account) Follow(ctx context.Context, ref sluice.Ref) iter.Seq2[sluice.Object, error] {
	return a.follow(ctx, ref)
}

func (a *Account) follow(ctx context.Context, ref sluice.Ref) iter.Seq2[sluice.Object, error] {
	return func(yield func(sluice.Object, error) bool) {
		r, err := a.mapper.find(ctx, ref.APIVersion, ref.Kind)
		if err != nil {
			yield(nil, err)
			return
		}
		w, leave := a.hub.join(r, ref.Namespace, ref.Name)
		defer leave()
		for {
			list, err := w.next(ctx)
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
