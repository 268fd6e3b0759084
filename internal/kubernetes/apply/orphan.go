package apply

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sluice-cd/sluice"
)

// Orphan deletes the Deployment that exists now, and no later one of its name. The garbage collector takes it from the
// owners of its ReplicaSets before it is gone. Then the controllers of other Deployments adopt those that they select.
func (w *Writer) Orphan(ctx context.Context, ref sluice.Ref) error {
	o, err := w.client.Resolve(ctx, ref)
	if err != nil {
		return err
	}
	live, err := w.informers.Read(ctx, o)
	if sluice.ErrorCode(err) == sluice.NotFound {
		return nil
	}
	if err != nil || live.Field("metadata", "deletionTimestamp") != nil {
		return err
	}
	uid, propagation := types.UID(live.Text("metadata", "uid")), metav1.DeletePropagationOrphan
	ending, err := w.client.Delete(ctx, "orphan the pods of "+ref.String(), o, metav1.DeleteOptions{
		PropagationPolicy: &propagation, Preconditions: &metav1.Preconditions{UID: &uid},
	})
	if ending != nil {
		w.informers.Saw(o.Resource, ending)
		return nil
	}
	// A conflict means that there is another object under the name: this one is gone.
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return err
	}
	w.informers.Gone(o.Resource, live)
	return nil
}
