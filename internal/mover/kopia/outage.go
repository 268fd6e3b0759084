package kopia

import (
	"context"
	"errors"

	"github.com/kopia/kopia/repo/blob"
)

// attend returns a context for work with the repository, and what says why the work ended. kopia lists a storage that
// does not answer again and again until the context ends, so the first listing that fails ends it. The caller, who
// tries again, calls why once, after the work.
func attend(ctx context.Context) (_ context.Context, why func(error) error) {
	ctx, end := context.WithCancelCause(ctx)
	return context.WithValue(ctx, ending{}, end), func(err error) error {
		defer end(nil)
		if o, ok := errors.AsType[outage](context.Cause(ctx)); ok && err != nil {
			return o.error
		}
		return err
	}
}

// ending is the key of what ends a context of attend.
type ending struct{}

// An outage is the error of a listing.
type outage struct{ error }

// attended is a storage that ends work whose listing fails.
type attended struct{ blob.Storage }

// ListBlobs implements [blob.Storage].
func (s attended) ListBlobs(ctx context.Context, prefix blob.ID, visit func(blob.Metadata) error) error {
	visited := error(nil)
	err := s.Storage.ListBlobs(ctx, prefix, func(b blob.Metadata) error {
		visited = visit(b)
		return visited
	})
	if end, ok := ctx.Value(ending{}).(context.CancelCauseFunc); ok && err != nil && visited == nil {
		end(outage{err})
	}
	return err
}
