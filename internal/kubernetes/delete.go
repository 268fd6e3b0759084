package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/sluice-cd/sluice"
)

// mostEnding bounds how long an object may take to go away while nothing about it changes.
const mostEnding = 10 * time.Minute

// childless are kinds that own nothing: deleting them in the foreground would only take the garbage collector's time.
var childless = []string{
	"Namespace", "Pod", "ConfigMap", "Secret", "ServiceAccount", "PersistentVolumeClaim", "PersistentVolume", "Role", "RoleBinding",
	"ClusterRole", "ClusterRoleBinding", "PodDisruptionBudget", "HorizontalPodAutoscaler", "ResourceQuota", "LimitRange",
	"NetworkPolicy", "Ingress", "StorageClass", "PriorityClass", "CustomResourceDefinition",
}

// Delete deletes the object that is there now, and no other that somebody makes under its name meanwhile. One that
// does not go away, as something holds it back, is a Failed error that names what, at the caller's deadline or when
// nothing has moved for long.
func (a *Account) Delete(ctx context.Context, ref sluice.Ref) error {
	r, err := a.mapper.find(ctx, ref.APIVersion, ref.Kind)
	if sluice.ErrorCode(err) == sluice.Unsupported {
		return nil
	}
	if err != nil {
		return err
	}
	live, err := a.read(ctx, r, ref)
	if c := sluice.ErrorCode(err); c == sluice.NotFound || c == sluice.Unsupported {
		return nil
	}
	if err != nil {
		return err
	}
	d := deletion{account: a, resource: r, ref: ref, last: live}
	if err := d.run(ctx); err != nil {
		return mapError("delete "+ref.String(), err)
	}
	a.hub.gone(r, live)
	return nil
}

// A deletion is one call of Delete.
type deletion struct {
	account  *Account
	resource resource
	ref      sluice.Ref
	last     sluice.Object // as it was last seen
	patience *time.Timer   // for something to happen to it
}

func (d *deletion) uid() types.UID { return types.UID(d.last.Text("metadata", "uid")) }

func (d *deletion) run(ctx context.Context) error {
	uid, propagation := d.uid(), metav1.DeletePropagationForeground
	if slices.Contains(childless, d.ref.Kind) {
		propagation = metav1.DeletePropagationBackground
	}
	err := d.account.client(d.resource, d.ref.Namespace).Delete(ctx, d.ref.Name, metav1.DeleteOptions{
		PropagationPolicy: &propagation, Preconditions: &metav1.Preconditions{UID: &uid},
	})
	if apierrors.IsNotFound(err) {
		return nil
	}
	// A conflict is another object under the name, or one that is being deleted already; looking tells.
	if err != nil && !apierrors.IsConflict(err) {
		return err
	}
	return d.await(ctx)
}

// await returns when the object is gone.
func (d *deletion) await(ctx context.Context) error {
	d.patience = time.NewTimer(mostEnding)
	defer d.patience.Stop()
	for {
		gone, err := d.look(ctx)
		if gone || err != nil {
			return d.held(ctx, err)
		}
		gone, err = d.follow(ctx)
		if gone || err != nil {
			return d.held(ctx, err)
		}
	}
}

func (d *deletion) look(ctx context.Context) (gone bool, err error) {
	u, err := d.account.client(d.resource, d.ref.Namespace).Get(ctx, d.ref.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if types.UID(u.GetUID()) != d.uid() {
		return true, nil
	}
	d.last = u.Object
	return false, nil
}

var errHeld = errors.New("held")

// follow watches the object until it is gone; it also returns when the connection ends.
func (d *deletion) follow(ctx context.Context) (gone bool, err error) {
	seconds := int64(mostEnding / time.Second)
	w, err := d.account.client(d.resource, d.ref.Namespace).Watch(ctx, metav1.ListOptions{
		FieldSelector:   fields.OneTermEqualSelector("metadata.name", d.ref.Name).String(),
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
		case <-d.patience.C:
			return false, errHeld
		case e, ok := <-w.ResultChan():
			if !ok || e.Type == watch.Error {
				return false, nil
			}
			if gone := d.saw(e); gone {
				return true, nil
			}
			d.patience.Reset(mostEnding)
		}
	}
}

func (d *deletion) saw(e watch.Event) (gone bool) {
	o := objectOf(e.Object)
	if o == nil {
		return false
	}
	if e.Type == watch.Deleted || types.UID(o.Text("metadata", "uid")) != d.uid() {
		return true
	}
	d.last = o
	return false
}

// held says what keeps the object from going away.
func (d *deletion) held(ctx context.Context, err error) error {
	if !errors.Is(err, errHeld) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	e := sluice.Errorf(sluice.Failed, "it is being deleted and does not go away%s", holders(d.last))
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		e.Err = context.DeadlineExceeded
	}
	return e.WithHint("see that what set the finalizers runs; what is left: kubectl get %s %s -o yaml", strings.ToLower(d.ref.Kind), d.ref.Name)
}

// holders names finalizers, and what the conditions of a Namespace say is left in it.
func holders(o sluice.Object) string {
	text := ""
	names, _ := o.Field("metadata", "finalizers").([]any)
	spec, _ := o.Field("spec", "finalizers").([]any)
	for _, n := range append(slices.Clone(names), spec...) {
		text += fmt.Sprintf(", %v", n)
	}
	if text != "" {
		text = ": it waits for the finalizers " + text[2:]
	}
	list, _ := o.Field("status", "conditions").([]any)
	for _, c := range list {
		m, _ := c.(map[string]any)
		if kind, _ := m["type"].(string); m["status"] == "True" && strings.HasPrefix(kind, "Namespace") {
			message, _ := m["message"].(string)
			text += "; " + plain(message)
		}
	}
	return text
}
