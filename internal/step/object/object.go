// Package object reads and changes single objects of an account, with errors that name the object. Nothing is changed
// once the context is cancelled.
package object

import (
	"context"
	"errors"
	"slices"

	"github.com/sluice-cd/sluice"
)

// Get returns the object. It returns nil if the object is absent, or if the account does not know its kind.
func Get(ctx context.Context, a sluice.Account, ref sluice.Ref) (sluice.Object, error) {
	o, err := a.Get(ctx, ref)
	if c := sluice.ErrorCode(err); c == sluice.NotFound || c == sluice.Unsupported {
		return nil, nil
	}
	return o, WithOp("read", ref, err)
}

// Apply applies the object and returns it as it is now.
func Apply(ctx context.Context, a sluice.Account, o sluice.Object) (sluice.Object, sluice.Outcome, error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	now, outcome, err := a.Apply(ctx, o, false)
	return now, outcome, WithOp("apply", o.Ref(), err)
}

// Beside brings the canary, whose pods belong to the replica set of the name.
func Beside(
	ctx context.Context, a sluice.Account, canary sluice.Object, replicaSet string,
) (sluice.Object, sluice.Outcome, error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	now, outcome, err := a.Beside(ctx, canary, replicaSet)
	return now, outcome, WithOp("apply", canary.Ref(), err)
}

// Orphan deletes the Deployment and leaves its pods.
func Orphan(ctx context.Context, a sluice.Account, ref sluice.Ref) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return WithOp("delete", ref, a.Orphan(ctx, ref))
}

// Delete deletes the object.
func Delete(ctx context.Context, a sluice.Account, ref sluice.Ref) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return WithOp("delete", ref, a.Delete(ctx, ref))
}

// Scale sets how many pods the workload wants.
func Scale(ctx context.Context, a sluice.Account, ref sluice.Ref, n int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return WithOp("scale", ref, a.Scale(ctx, ref, n))
}

// WithOp adds the operation and the object to err.
func WithOp(verb string, ref sluice.Ref, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	op := verb + " " + ref.String()
	if e, ok := errors.AsType[*sluice.Error](err); ok && e.Op == op {
		return err // the account has named it
	}
	return &sluice.Error{Code: sluice.ErrorCode(err), Op: op, Hint: sluice.ErrorHint(err), Err: err}
}

// Wanted returns the object as somebody wrote it, without what the cluster adds.
func Wanted(o sluice.Object) sluice.Object {
	o = o.Clone()
	delete(o, "status")
	meta, _ := o["metadata"].(map[string]any)
	for _, field := range ofCluster {
		delete(meta, field)
	}
	return o
}

// ofCluster lists the fields of metadata that the cluster sets.
var ofCluster = []string{"managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink"}

// OfKind returns the objects of these kinds.
func OfKind(objects []sluice.Object, kinds ...string) []sluice.Object {
	var found []sluice.Object
	for _, o := range objects {
		if slices.Contains(kinds, o.Text("kind")) {
			found = append(found, o)
		}
	}
	return found
}
