package rollout

import (
	"context"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/object"
)

// reinstate brings the old version back to the pods of a workload whose pods are evicted in an order of ours, before its
// own strategy comes back: under OnDelete nobody else would do it, and any other takes no care of a primary.
func (s *apply) reinstate(ctx context.Context, r *restorer, b before, held sluice.Object) error {
	if b.Object == nil || byPartition(held) {
		return nil
	}
	now, err := object.Get(ctx, s.account, b.Ref)
	if err != nil || !isHeld(now, s.sc.Deployment) {
		return err
	}
	old := heldAt(held, 0, s.sc.Deployment)
	old.Set(b.Object.Clone().Field("spec", "template"), "spec", "template")
	back, err := same(s.account.Apply(ctx, old, true))
	if err != nil {
		return object.WithOp("compare", b.Ref, err)
	}
	if !back {
		if mine, err := r.isOurs(ctx, b.Ref); err != nil || !mine {
			return err
		}
		if _, _, err := object.Apply(ctx, s.account, old); err != nil {
			return err
		}
	}
	r.ours[b.Ref] = old
	t := tracks{s.account, s.sc, []sluice.Object{old}, s.watcher(s.deps.Now())}
	_, err = t.replace(ctx, old, 100)
	return err
}
