package rollout

import (
	"context"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
	"github.com/sluice-cd/sluice/internal/step/object"
	"github.com/sluice-cd/sluice/internal/step/ready"
)

// heal replaces the broken pods of StatefulSets that were put back: their controller waits for a broken pod for ever
// before it puts a sound one in its place. Whether they all get ready in the end is for the caller to see.
func heal(ctx context.Context, w ready.Waiter, refs []sluice.Ref) error {
	for _, ref := range refs {
		if ref.Kind != "StatefulSet" {
			continue
		}
		h := healing{Waiter: w, ref: ref}
		if err := w.Watch(ctx, ref, func(o sluice.Object) (bool, string, error) { return h.look(ctx, o) }); err != nil && !ready.IsTimeout(err) {
			return err
		}
	}
	return nil
}

// A healing is that of one StatefulSet.
type healing struct {
	ready.Waiter
	ref    sluice.Ref
	looked bool
}

// look waits until the controller makes pods of what was put back: before that it would make broken ones again.
func (h *healing) look(ctx context.Context, o sluice.Object) (done bool, missing string, err error) {
	if !isSeen(o) {
		return false, unseen, nil
	}
	state := manifest.Status(o)
	if state.Phase == manifest.Ready {
		return true, "", nil
	}
	evicted, err := h.evict(ctx, o.Text("status", "updateRevision"))
	return state.Phase == manifest.Failed && evicted == 0, state.Message, err
}

// evict takes away the pods that are broken. Where an account keeps no revisions, those that are not ready at first are
// taken for broken.
func (h *healing) evict(ctx context.Context, revision string) (n int, err error) {
	pods, err := h.Account.Pods(ctx, h.ref.Namespace)
	if err != nil {
		return 0, object.WithOp("list the pods of", h.ref, err)
	}
	for _, p := range pods {
		isOld := p.Revision != "" && p.Revision != revision || p.Revision == "" && !h.looked
		if p.Owner != h.ref.String() || p.Ready || !isOld {
			continue
		}
		if err := ctx.Err(); err != nil {
			return n, err
		}
		if err := h.replace(ctx, p); err != nil {
			return n, object.WithOp("replace the pods of", h.ref, err)
		}
		n++
	}
	h.looked = true
	return n, nil
}

// replace takes the pod away. One that does not go before the deadline, as on a node that died, is left to its controller.
func (h *healing) replace(ctx context.Context, p sluice.Pod) error {
	bounded, cancel := h.Bounded(ctx)
	defer cancel()
	err := h.Account.Evict(bounded, p.Namespace, p.Name)
	if err != nil && ready.IsTimeout(context.Cause(bounded)) {
		return nil
	}
	return err
}
