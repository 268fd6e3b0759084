package rollout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/delivery"
	"github.com/sluice-cd/sluice/internal/step/deps"
	"github.com/sluice-cd/sluice/internal/step/object"
	"github.com/sluice-cd/sluice/internal/step/ready"
	"github.com/sluice-cd/sluice/internal/step/record"
)

// apply brings the target's objects in dependency order and waits for each. With a strategy that has steps
// before 100 %, a Deployment that exists and changes version gets a canary beside it instead, without traffic.
type apply struct {
	deps    deps.Deps
	sc      sluice.StepContext
	spec    sluice.Apply
	account sluice.Account
}

func NewApply(d deps.Deps, sc sluice.StepContext) (sluice.Step, error) {
	a, err := d.Account(sc.Target.Account, sc.Step.Pos)
	if err != nil {
		return nil, err
	}
	return &apply{d, sc, *sc.Step.Apply, a}, nil
}

// Check compares every object with the account, and keeps those that will be written as they are.
func (s *apply) Check(ctx context.Context) (sluice.Preview, error) {
	objects, err := declaredObjects(s.deps, s.sc)
	if err != nil {
		return sluice.Preview{}, err
	}
	c := comparison{apply: s, objects: objects}
	if err := c.run(ctx); err != nil {
		return sluice.Preview{}, err
	}
	raw, err := record.Write(c.image)
	return sluice.Preview{Changes: c.changes, Notes: c.notes, Snapshot: raw}, err
}

// Start writes wave after wave, and waits for each before the next.
func (s *apply) Start(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	img, taken, err := takenImage(p)
	if err != nil || !taken {
		return p, orError(err, "apply was started without its image")
	}
	objects, err := s.objects(img)
	if err != nil {
		return p, err
	}
	b := bringer{apply: s, image: img, objects: objects}
	w := s.watcher(img.At)
	for _, wave := range waves(objects) {
		for _, o := range wave {
			if err := b.bring(ctx, o); err != nil {
				return p, err
			}
		}
		if err := heal(ctx, w, img.unready(wave)); err != nil {
			return p, err
		}
		if err := b.await(ctx, w); err != nil {
			return p, err
		}
	}
	straight := slices.DeleteFunc(object.OfKind(objects, "Deployment"), func(o sluice.Object) bool { return slices.Contains(img.Canaries, o.Ref()) })
	if err := (tracks{s.account, s.sc, objects, w}).clear(ctx, straight); err != nil {
		return p, err
	}
	p.State, p.Changes, p.Message = sluice.Done, b.changes, fmt.Sprintf("%d objects are as declared", len(objects))
	if len(img.Canaries) > 0 {
		p.Message = "the new version is ready beside the old one, without traffic"
	}
	if len(img.Canaries) > 0 || img.First {
		p.Result = &sluice.Result{Canaries: canaryRefs(img.Canaries), First: img.First}
	}
	return p, nil
}

// objects are the target's objects as they are to be. Pods that do not change keep the delivery that they belong to.
func (s *apply) objects(img image) ([]sluice.Object, error) {
	objects, err := declaredObjects(s.deps, s.sc)
	for _, o := range pick(objects, img.Kept) {
		delivery.Stamp(o, delivery.StampedWith(img.object(o.Ref())))
	}
	for _, o := range object.OfKind(objects, "Deployment") {
		if !slices.Contains(img.Kept, o.Ref()) {
			delivery.Stamp(o, delivery.VersionOf(s.sc, o.Text("metadata", "name")))
		}
	}
	return objects, err
}

// Observe has nothing to wait for: Start waits.
func (s *apply) Observe(_ context.Context, p sluice.Progress) (sluice.Progress, error) {
	p.State = sluice.Done
	return p, nil
}

// Finish keeps what was applied.
func (s *apply) Finish(context.Context, sluice.Progress) error { return nil }

// Undo removes the canaries and puts every object back, the last written first, and waits until what was ready
// before is ready again. One that cannot be put back does not keep the others from it, and nor do canaries that are all
// that serves: they go once the stable pods, with what they need put back, are ready.
func (s *apply) Undo(ctx context.Context, p sluice.Progress) error {
	img, taken, err := takenImage(p)
	if err != nil || !taken {
		return err
	}
	objects, err := s.objects(img)
	if err != nil {
		return err
	}
	stays := s.dropCanaries(ctx, img, objects)
	if stays != nil && sluice.ErrorCode(stays) != sluice.Failed {
		return stays
	}
	err = s.putAllBack(ctx, img, objects)
	if stays == nil || mayHeal(err) || ctx.Err() != nil {
		return errors.Join(err, stays)
	}
	unready := s.watcher(s.deps.Now()).Ready(ctx, img.Canaries)
	if unready != nil && sluice.ErrorCode(unready) != sluice.Failed {
		return errors.Join(unready, err)
	}
	return errors.Join(s.dropCanaries(ctx, img, objects), err)
}

func (s *apply) putAllBack(ctx context.Context, img image, objects []sluice.Object) error {
	if err := heldAsNow(ctx, s.account, objects, img.Ordered, s.sc.Deployment); err != nil {
		return err
	}
	r := newRestorer(s.deps, s.account, objects)
	var restored []sluice.Ref
	var refused error
	for _, b := range slices.Backward(img.Before) {
		back, err := s.putBack(ctx, r, b, slices.Contains(img.Ordered, b.Ref))
		if mayHeal(err) || err != nil && ctx.Err() != nil {
			return err
		}
		refused = errors.Join(refused, err)
		if back && err == nil && b.Ready && b.Ref.Kind != "Job" {
			restored = append(restored, b.Ref)
		}
	}
	w := s.watcher(s.deps.Now())
	if err := heal(ctx, w, restored); err != nil {
		return errors.Join(err, refused)
	}
	if err := w.Ready(ctx, awaited(restored)); err != nil {
		return errors.Join(err, refused)
	}
	return errors.Join(refused, r.left())
}

// putBack puts one object back, and the pods of one that changes pod by pod. It reports whether the object is back.
func (s *apply) putBack(ctx context.Context, r *restorer, b before, ordered bool) (back bool, err error) {
	var unready error
	if o, known := r.ours[b.Ref]; known && ordered {
		if unready = s.reinstate(ctx, r, b, o); unready != nil && sluice.ErrorCode(unready) != sluice.Failed {
			return false, unready
		}
	}
	back, err = r.restore(ctx, b)
	return back, errors.Join(unready, err)
}

// mayHeal reports whether the engine tries an undo again after such an error.
func mayHeal(err error) bool {
	c := sluice.ErrorCode(err)
	return c == sluice.Unavailable || c == sluice.Exhausted
}

// dropCanaries takes the canaries away.
func (s *apply) dropCanaries(ctx context.Context, img image, objects []sluice.Object) error {
	t := tracks{s.account, s.sc, objects, s.watcher(s.deps.Now())}
	if err := t.withdraw(ctx, img.Canaries); err != nil {
		return err
	}
	return removeVersions(ctx, s.account, pick(objects, img.Deferred), s.sc.Deployment)
}

func (s *apply) watcher(from time.Time) ready.Waiter {
	return s.deps.Waiter(s.sc, s.account, from.Add(cmp.Or(s.spec.Timeout, ready.DefaultTimeout)))
}

// waves groups objects, given in order, by what has to stand before the next may come.
func waves(objects []sluice.Object) [][]sluice.Object {
	var list [][]sluice.Object
	last := -2 // no wave
	for _, o := range objects {
		if n := waveOf(o); n != last {
			list, last = append(list, nil), n
		}
		list[len(list)-1] = append(list[len(list)-1], o)
	}
	return list
}

// waveOf tells apart what later objects stand on; all else may come together.
func waveOf(o sluice.Object) int {
	stands := [][]string{{"Namespace"}, {"CustomResourceDefinition"}, {"StatefulSet", "DaemonSet"}, {"Job"}, {"Deployment"}}
	return slices.IndexFunc(stands, func(kinds []string) bool { return slices.Contains(kinds, o.Text("kind")) })
}

// awaited leaves out claims: many are bound only once a pod uses them, and the pods are waited for.
func awaited(refs []sluice.Ref) []sluice.Ref {
	return slices.DeleteFunc(slices.Clone(refs), func(r sluice.Ref) bool { return r.Kind == "PersistentVolumeClaim" })
}

func orError(err error, defect string) error {
	if err != nil {
		return err
	}
	return sluice.Errorf(sluice.Internal, "%s", defect)
}

// Vet finds objects that the account will never take. Everything else may have changed when the step's turn comes.
func (s *apply) Vet(ctx context.Context) error {
	if _, err := s.Check(ctx); sluice.ErrorCode(err) == sluice.Unsupported {
		return err
	}
	return nil
}
