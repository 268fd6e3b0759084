package rollout

import (
	"context"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/delivery"
	"github.com/sluice-cd/sluice/internal/step/object"
	"github.com/sluice-cd/sluice/internal/step/ready"
	"github.com/sluice-cd/sluice/internal/step/sibling"
)

// A bringer writes one object after the other, each in the way that the image says.
type bringer struct {
	*apply
	image   image
	objects []sluice.Object
	changes []sluice.Change
	pending []sluice.Ref // written, and not ready when they were
}

// bring writes the object, or what stands for it until promotion.
func (b *bringer) bring(ctx context.Context, o sluice.Object) error {
	switch {
	case slices.Contains(b.image.Canaries, o.Ref()):
		return b.bringCanary(ctx, o)
	case slices.Contains(b.image.Deferred, o.Ref()):
		v, err := versionOf(o, b.sc.Deployment)
		if err != nil {
			return err
		}
		return b.write(ctx, v)
	case slices.Contains(b.image.Ordered, o.Ref()):
		return b.bringHeld(ctx, o)
	}
	if !slices.ContainsFunc(b.image.Before, func(was before) bool { return was.Ref == o.Ref() }) {
		return b.look(ctx, o)
	}
	if o.Text("kind") == "Job" {
		return b.bringJob(ctx, o)
	}
	return b.write(ctx, o)
}

// look takes an object that is as declared already, and waits for it where it is not ready. One that went away meanwhile
// is made again.
func (b *bringer) look(ctx context.Context, o sluice.Object) error {
	now, err := object.Get(ctx, b.account, o.Ref())
	if err != nil {
		return err
	}
	if now == nil {
		return b.write(ctx, o)
	}
	if !ready.Is(now) {
		b.pending = append(b.pending, o.Ref())
	}
	return nil
}

func (b *bringer) write(ctx context.Context, o sluice.Object) error {
	now, outcome, err := object.Apply(ctx, b.account, o)
	if err != nil {
		return err
	}
	if outcome != sluice.Unchanged {
		b.changes = append(b.changes, sluice.Change{Object: o.Ref().String(), Outcome: outcome})
	}
	if !ready.Is(now) {
		b.pending = append(b.pending, o.Ref())
	}
	return nil
}

// await waits for what was written since the last call.
func (b *bringer) await(ctx context.Context, w ready.Waiter) error {
	refs := b.pending
	b.pending = nil
	return w.Ready(ctx, awaited(refs))
}

// bringCanary takes the Services' traffic away from canaries before there is one.
func (b *bringer) bringCanary(ctx context.Context, o sluice.Object) error {
	stable, err := b.account.Get(ctx, o.Ref())
	if err != nil {
		return object.WithOp("read", o.Ref(), err)
	}
	list, err := divisions(ctx, b.account, b.sc, b.objects, []sluice.Object{o})
	if err != nil {
		return err
	}
	if err := shift(ctx, b.account, list, 0); err != nil {
		return err
	}
	c := canaryOf(o, stable, b.firstSize(stable), b.sc.Deployment)
	for _, config := range pick(b.objects, b.image.Deferred) {
		v, err := versionOf(config, b.sc.Deployment)
		if err != nil {
			return err
		}
		rename(c, config.Text("kind"), config.Text("metadata", "name"), v.Text("metadata", "name"))
	}
	return b.write(ctx, c)
}

// bringHeld brings the new template of a workload and lets no pod that there is have it.
func (b *bringer) bringHeld(ctx context.Context, o sluice.Object) error {
	now, err := b.account.Get(ctx, o.Ref())
	if err != nil {
		return object.WithOp("read", o.Ref(), err)
	}
	if isHeld(now, b.sc.Deployment) {
		return b.write(ctx, like(o, now, b.sc.Deployment))
	}
	return b.write(ctx, heldAt(o, max(o.Number(1, "spec", "replicas"), now.Number(1, "spec", "replicas")), b.sc.Deployment))
}

// firstSize is how many pods a canary begins with: as many as the stable version where weights divide the traffic, else
// as many as the first weight takes.
func (b *bringer) firstSize(stable sluice.Object) int {
	n := stable.Number(1, "spec", "replicas")
	if b.account.Weighs(b.sc.Target.Traffic) {
		return n
	}
	_, canary := sizes(n, sibling.FirstWeight(b.sc), 0)
	return canary
}

// bringJob replaces an old run whose spec is another: a Job's pods cannot be changed.
func (b *bringer) bringJob(ctx context.Context, o sluice.Object) error {
	_, _, err := b.account.Apply(ctx, o, true)
	if isImmutable(err) {
		was, getErr := object.Get(ctx, b.account, o.Ref())
		if getErr != nil {
			return getErr
		}
		if was != nil {
			if err := object.Delete(ctx, b.account, o.Ref()); err != nil {
				return err
			}
		}
	}
	return b.write(ctx, o)
}

// removeVersions deletes the copies of configuration that canaries used.
func removeVersions(ctx context.Context, a sluice.Account, config []sluice.Object, id sluice.DeploymentID) error {
	for _, c := range config {
		v, err := versionOf(c, id)
		if err != nil {
			return err
		}
		if err := delivery.Delete(ctx, a, v.Ref(), id); err != nil {
			return err
		}
	}
	return nil
}
