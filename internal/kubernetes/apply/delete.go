package apply

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// stuckTimeout bounds how long the deletion of an object may go without any change.
const stuckTimeout = 10 * time.Minute

// childless are kinds that own nothing. Deleting them in the foreground would only wait for the garbage collector.
var childless = []string{
	"Namespace", "Pod", "ConfigMap", "Secret", "ServiceAccount", "PersistentVolumeClaim", "PersistentVolume", "Role",
	"RoleBinding", "ClusterRole", "ClusterRoleBinding", "PodDisruptionBudget", "HorizontalPodAutoscaler",
	"ResourceQuota", "LimitRange", "NetworkPolicy", "Ingress", "StorageClass", "PriorityClass",
	"CustomResourceDefinition",
}

// Delete deletes the object that exists now, and no other that somebody creates under its name meanwhile. It returns
// when the object is gone. If something holds the object back until the caller's deadline, or nothing changes for long,
// the error is Failed and names what holds it.
// An object that another application applied too is a Conflict.
func (w *Writer) Delete(ctx context.Context, ref sluice.Ref) error {
	o, err := w.client.Resolve(ctx, ref)
	if sluice.ErrorCode(err) == sluice.Unsupported {
		return nil
	}
	if err != nil {
		return err
	}
	live, err := w.informers.ReadLive(ctx, o)
	if c := sluice.ErrorCode(err); c == sluice.NotFound || c == sluice.Unsupported {
		return nil
	}
	if err != nil {
		return err
	}
	if other := w.otherApplication(live); other != "" {
		return w.belongsTo(other, live)
	}
	d := deletion{client: w.client, ObjectRef: o, last: live}
	if err := d.run(ctx); err != nil {
		return client.Wrap("delete "+ref.String(), err)
	}
	w.informers.Gone(o.Resource, live)
	return nil
}

// A deletion is one call of Delete.
type deletion struct {
	client.ObjectRef
	client *client.Client
	last   sluice.Object // the last state that was seen
	stuck  *time.Timer   // restarted by every change
}

func (d *deletion) uid() types.UID { return types.UID(d.last.Text("metadata", "uid")) }

func (d *deletion) run(ctx context.Context) error {
	uid, propagation := d.uid(), metav1.DeletePropagationForeground
	if slices.Contains(childless, d.Kind) {
		propagation = metav1.DeletePropagationBackground
	}
	err := d.client.Objects(d.ObjectRef).Delete(ctx, d.Name, metav1.DeleteOptions{
		PropagationPolicy: &propagation, Preconditions: &metav1.Preconditions{UID: &uid},
	})
	if apierrors.IsNotFound(err) {
		return nil
	}
	// A conflict means that there is another object under the name, or that the object is in deletion already.
	if err != nil && !apierrors.IsConflict(err) {
		return err
	}
	return d.await(ctx)
}

// await returns when the object is gone.
func (d *deletion) await(ctx context.Context) error {
	d.stuck = time.NewTimer(stuckTimeout)
	defer d.stuck.Stop()
	for {
		gone, err := d.look(ctx)
		if !gone && err == nil {
			gone, err = d.follow(ctx)
		}
		if gone || err != nil {
			return d.explain(ctx, err)
		}
	}
}

func (d *deletion) look(ctx context.Context) (gone bool, err error) {
	u, err := d.client.Objects(d.ObjectRef).Get(ctx, d.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return d.saw(u), nil
}

var errStuck = errors.New("stuck")

// follow watches the object until it is gone or the connection ends.
func (d *deletion) follow(ctx context.Context) (gone bool, err error) {
	seconds := int64(stuckTimeout / time.Second)
	w, err := d.client.Objects(d.ObjectRef).Watch(ctx, metav1.ListOptions{
		FieldSelector:   fields.OneTermEqualSelector("metadata.name", d.Name).String(),
		ResourceVersion: d.last.Text("metadata", "resourceVersion"), TimeoutSeconds: &seconds,
	})
	if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer w.Stop()
	for {
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-d.stuck.C:
			return false, errStuck
		case e, ok := <-w.ResultChan():
			if !ok || e.Type == apiwatch.Error {
				return false, nil
			}
			if u, ok := e.Object.(*unstructured.Unstructured); ok && (e.Type == apiwatch.Deleted || d.saw(u)) {
				return true, nil
			}
			d.stuck.Reset(stuckTimeout)
		}
	}
}

// saw keeps the state, and returns true if it is that of another object under the name.
func (d *deletion) saw(u *unstructured.Unstructured) (isOther bool) {
	if u.GetUID() != d.uid() {
		return true
	}
	d.last = u.Object
	return false
}

// explain returns the error of a deletion. If the object stays, the error names what holds it back.
func (d *deletion) explain(ctx context.Context, err error) error {
	if !errors.Is(err, errStuck) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	held := strings.TrimSuffix("it is being deleted and does not go away: "+manifest.HeldBack(d.last), ": ")
	e := sluice.Errorf(sluice.Failed, "%s", held)
	e.Err = &sluice.Error{Code: sluice.Exhausted} // of time: somebody may still remove what holds it
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		e.Err = context.DeadlineExceeded
	}
	return e.WithHint("see that the owner of the finalizers runs; what is left: kubectl get %s %s -o yaml",
		strings.ToLower(d.Kind), d.Name)
}
