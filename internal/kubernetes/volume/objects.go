package volume

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
	"github.com/sluice-cd/sluice/internal/kubernetes/watch"
	"github.com/sluice-cd/sluice/internal/manifest"
)

const (
	// patience bounds one wait for a controller of the cluster. After it the caller tries again.
	patience = 2 * time.Minute
	// maxAttempts bounds how often a write is tried because somebody else wrote the object meanwhile.
	maxAttempts = 5
)

// objects reads and writes objects as they are stored.
type objects struct {
	client    *client.Client
	informers *watch.Informers
}

// get returns nil for an object that does not exist.
func (c objects) get(ctx context.Context, ref sluice.Ref) (sluice.Object, error) {
	o, err := c.client.Resolve(ctx, ref)
	if err != nil {
		return nil, err
	}
	live, err := c.client.Get(ctx, o)
	if sluice.ErrorCode(err) == sluice.NotFound {
		return nil, nil
	}
	return live, err
}

// labelled lists the objects of the kind, in the namespace of the reference, that match the selector.
func (c objects) labelled(ctx context.Context, kind sluice.Ref, selector string) ([]sluice.Object, error) {
	o, err := c.client.Resolve(ctx, kind)
	if err != nil {
		return nil, err
	}
	list, err := c.client.Objects(o).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, client.Wrap("list "+kind.Kind, err)
	}
	all := make([]sluice.Object, len(list.Items))
	for i, item := range list.Items {
		all[i] = item.Object
	}
	return all, nil
}

// create creates the object. isTaken says that there is one of the name already.
func (c objects) create(ctx context.Context, o sluice.Object) (created sluice.Object, isTaken bool, err error) {
	ref, err := c.client.Resolve(ctx, o.Ref())
	if err != nil {
		return nil, false, err
	}
	u, err := c.client.Objects(ref).Create(ctx, &unstructured.Unstructured{Object: o},
		metav1.CreateOptions{FieldManager: sluice.Manager})
	if apierrors.IsAlreadyExists(err) {
		return nil, true, nil
	}
	if err != nil {
		return nil, false, client.Wrap("create "+ref.String(), err)
	}
	c.informers.Saw(ref.Resource, u.Object)
	return u.Object, false, nil
}

// change writes the merge patch that edit makes of the object as it is; nil is none. Absent objects stay absent.
func (c objects) change(ctx context.Context, ref sluice.Ref, edit func(sluice.Object) sluice.Object) error {
	o, err := c.client.Resolve(ctx, ref)
	if err != nil {
		return err
	}
	for range maxAttempts {
		live, err := c.get(ctx, ref)
		if err != nil || live == nil {
			return err
		}
		patch := edit(live)
		if patch == nil {
			return nil
		}
		patch.Set(live.Text("metadata", "resourceVersion"), "metadata", "resourceVersion")
		data, err := json.Marshal(patch)
		if err != nil {
			return err
		}
		now, err := c.client.Patch(ctx, o, client.Patch{Type: types.MergePatchType, Data: data,
			Options: metav1.PatchOptions{FieldManager: sluice.Manager}})
		if apierrors.IsConflict(err) {
			continue
		}
		if err == nil {
			c.informers.Saw(o.Resource, now)
		}
		return client.IgnoreNotFound(client.Wrap("change "+ref.String(), err))
	}
	return sluice.Errorf(sluice.Unavailable, "%s is changed by others all the time", ref)
}

// remove deletes exactly this object, and returns when it is gone.
func (c objects) remove(ctx context.Context, o sluice.Object) error {
	ref, err := c.client.Resolve(ctx, o.Ref())
	if err != nil {
		return err
	}
	uid, propagation := types.UID(o.Text("metadata", "uid")), metav1.DeletePropagationBackground
	err = c.client.Objects(ref).Delete(ctx, ref.Name, metav1.DeleteOptions{
		PropagationPolicy: &propagation, Preconditions: &metav1.Preconditions{UID: &uid},
	})
	// A conflict means that another object has the name, or that the object is in deletion already.
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return client.Wrap("delete "+ref.String(), err)
	}
	return c.awaitGone(ctx, o)
}

// awaitGone returns when the object is gone. Another one of its name may be there.
func (c objects) awaitGone(ctx context.Context, o sluice.Object) error {
	if isForgotten(o.Ref().Kind) {
		nudging, stop := context.WithCancel(ctx)
		defer stop()
		go c.nudge(nudging, o.Ref())
	}
	uid := o.Text("metadata", "uid")
	return c.await(ctx, o.Ref(), func(now sluice.Object) bool { return now.Text("metadata", "uid") != uid }, heldBack)
}

func heldBack(o sluice.Object) string {
	return "to be gone: " + cmp.Or(o.Text("status", "message"), manifest.HeldBack(o))
}

// await returns when the object, nil while it does not exist, is as wanted. explain says what it waits for.
func (c objects) await(
	ctx context.Context, ref sluice.Ref, isDone func(sluice.Object) bool, explain func(sluice.Object) string,
) error {
	o, err := c.client.Resolve(ctx, ref)
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	w := &waiting{objects: c, of: o, isDone: isDone}
	for done := false; !done && err == nil; {
		done, err = w.follow(limited)
	}
	if err == nil || limited.Err() == nil || errors.Is(ctx.Err(), context.Canceled) {
		return client.Wrap("wait for "+ref.String(), err)
	}
	return sluice.Errorf(sluice.Unavailable, "%s was waited for %s", ref, explain(w.last)).
		WithHint("see what holds it back: kubectl describe %s %s", ref.Kind, ref.Name)
}

// waiting is one wait for a state of an object.
type waiting struct {
	objects
	of     client.ObjectRef
	isDone func(sluice.Object) bool
	last   sluice.Object // nil: the object does not exist
}

// follow reads the object and follows its changes, until it is as wanted or the connection ends.
func (w *waiting) follow(ctx context.Context) (done bool, err error) {
	live, err := w.get(ctx, w.of.Ref)
	if err != nil || w.saw(live) {
		return err == nil, err
	}
	changes, err := w.client.Objects(w.of).Watch(ctx, metav1.ListOptions{
		FieldSelector:   fields.OneTermEqualSelector("metadata.name", w.of.Name).String(),
		ResourceVersion: live.Text("metadata", "resourceVersion"),
	})
	if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer changes.Stop()
	for {
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case e, ok := <-changes.ResultChan():
			if !ok || e.Type == apiwatch.Error {
				return false, nil
			}
			u, ok := e.Object.(*unstructured.Unstructured)
			if ok && e.Type == apiwatch.Deleted {
				u.Object = nil
			}
			if ok && w.saw(u.Object) {
				return true, nil
			}
		}
	}
}

// saw keeps the state, tells those who watch the object, and reports whether it is as wanted.
func (w *waiting) saw(now sluice.Object) bool {
	switch {
	case now != nil:
		w.informers.Saw(w.of.Resource, now)
	case w.last != nil:
		w.informers.Gone(w.of.Resource, w.last)
	}
	w.last = now
	return w.isDone(now)
}
