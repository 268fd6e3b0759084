package rollout

import (
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/delivery"
	"github.com/sluice-cd/sluice/internal/step/deps"
	"github.com/sluice-cd/sluice/internal/step/object"
	"github.com/sluice-cd/sluice/internal/step/ready"
	"github.com/sluice-cd/sluice/internal/step/record"
	"github.com/sluice-cd/sluice/internal/step/sibling"
)

// promote makes the stable Deployments run the new version: they adopt the pods of their canaries, which carry the
// traffic meanwhile. At every moment a full set of ready pods serves.
type promote struct {
	target
	atOnce
}

// NewPromote returns the step that makes the new version the stable one.
func NewPromote(d deps.Deps, sc sluice.StepContext) (sluice.Step, error) {
	t, err := newTarget(d, sc)
	return &promote{target: t}, err
}

// Check keeps the stable Deployments that have a canary, and the configuration that changes with them.
func (s *promote) Check(ctx context.Context) (sluice.Preview, error) {
	objects, err := s.desired(snapshot{})
	if err != nil {
		return sluice.Preview{}, err
	}
	canaries, _, err := delivery.Canaries(ctx, s.account, objects, s.sc.Deployment)
	if err != nil {
		return sluice.Preview{}, err
	}
	if err := allStand(s.sc, lasting(canaries)); err != nil {
		return sluice.Preview{}, err
	}
	ordered, err := s.held(ctx, objects)
	if err != nil {
		return sluice.Preview{}, err
	}
	snap := snapshot{At: s.deps.Now()}
	var notes []string
	stable := declared(canaries)
	for _, o := range slices.Concat(ordered, usedOnlyBy(stable, objects), stable) {
		ref := o.Ref()
		was, err := object.Get(ctx, s.account, ref)
		if err != nil {
			return sluice.Preview{}, err
		}
		if err := snap.add(ref, was, s.deps.Sealer); err != nil {
			return sluice.Preview{}, err
		}
		switch ref.Kind {
		case "Deployment":
			snap.Canaries = append(snap.Canaries, ref)
			notes = append(notes, ref.String()+" takes over the pods of its canary and ends its old ones")
		case "StatefulSet", "DaemonSet":
			snap.Ordered = append(snap.Ordered, ref)
			notes = append(notes, "the pods of "+ref.String()+" that are left change to the new version")
		default:
			snap.Deferred = append(snap.Deferred, ref)
		}
	}
	raw, err := record.Write(snap)
	return sluice.Preview{Notes: notes, Snapshot: raw}, err
}

// Start promotes. Each part of it changes nothing if it was done before.
func (s *promote) Start(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	snap, err := s.startedWith(p)
	if err != nil {
		return p, err
	}
	p.State, p.Message = sluice.Done, "there is no canary: the only version runs already"
	if len(snap.Canaries)+len(snap.Ordered) == 0 {
		return p, nil
	}
	t, err := s.tracks(ctx, snap.At)
	if err != nil {
		return p, err
	}
	if _, err := t.rollTo(ctx, 100); err != nil {
		return p, err
	}
	if _, err := t.moveTo(ctx, move{percent: 100}); err != nil {
		return p, err
	}
	for _, o := range slices.Concat(pick(t.objects, snap.Ordered), pick(t.objects, snap.Deferred)) {
		_, outcome, err := object.Apply(ctx, s.account, o)
		if err != nil {
			return p, err
		}
		p.Changes = append(p.Changes, sluice.Change{Object: o.Ref().String(), Outcome: outcome})
	}
	if err := s.replaceAll(ctx, t, pick(t.objects, snap.Canaries), &p); err != nil {
		return p, err
	}
	pods, err := steady(ctx, t.waiter, slices.Concat(snap.Ordered, snap.Canaries))
	if err != nil {
		return p, err
	}
	p.Result = resultOf(pods)
	return p, t.withdraw(ctx, snap)
}

// replaceAll makes the stable Deployments run the new version, all at once.
func (s *promote) replaceAll(ctx context.Context, t tracks, deployments []sluice.Object, p *sluice.Progress) error {
	p.Message = "the new version runs in place of the old one"
	started := make([]bool, len(deployments))
	var work errgroup.Group
	for i, o := range deployments {
		p.Changes = append(p.Changes, sluice.Change{Object: o.Ref().String(), Outcome: sluice.Configured})
		work.Go(func() (err error) {
			started[i], err = s.replace(ctx, t, o)
			return err
		})
	}
	if err := work.Wait(); err != nil {
		return err
	}
	for i, o := range deployments {
		if started[i] {
			p.Message += "; " + o.Ref().String() + " could not take over the pods of its canary, so it started its own"
		}
	}
	return nil
}

// replace makes the stable Deployment run the new version. It reports whether pods of it had to be started for that,
// although those of a canary could have been adopted.
func (s *promote) replace(ctx context.Context, t tracks, o sluice.Object) (started bool, err error) {
	a, err := t.adoptionOf(ctx, o)
	if err != nil {
		return false, err
	}
	adopted, possible := false, a.isPossible()
	if possible {
		if adopted, err = a.run(ctx); err != nil {
			return false, err
		}
	}
	if _, _, err := object.Apply(ctx, s.account, o); err != nil {
		return false, err
	}
	if err := s.bindVersions(ctx, t.objects, o, o.Ref()); err != nil {
		return false, err
	}
	if !adopted {
		err = s.growBack(ctx, t, o)
	}
	return possible && !adopted, err
}

// Finish deletes the versions of the configuration that only the pods before this release used. Those that belong to
// replica sets are deleted with them.
func (s *promote) Finish(ctx context.Context, p sluice.Progress) error {
	snap, taken, err := readSnapshot(p)
	if err != nil || !taken {
		return err
	}
	objects, err := s.declared()
	if err != nil {
		return err
	}
	for _, b := range snap.Before {
		if b.Ref.Kind != "Deployment" || b.Object == nil {
			continue
		}
		if err := s.deleteUnused(ctx, objects, b.Object); err != nil {
			return err
		}
	}
	return nil
}

// growBack gives a Deployment the pods back that an earlier version of Sluice took away for its canary.
func (s *promote) growBack(ctx context.Context, t tracks, o sluice.Object) error {
	a, err := t.adoptionOf(ctx, o)
	if err != nil || a.canary == nil || a.canary.Text("metadata", "annotations", sizedTo) != "" {
		return err
	}
	if n := (pair{stable: a.stable, canary: a.canary}).promoted(); n > a.stable.Number(1, "spec", "replicas") {
		return object.Scale(ctx, s.account, o.Ref(), n)
	}
	return nil
}

// Undo brings the stable Deployments back to the version they had. If they still have it, only the weight before
// promotion comes back. Otherwise the old version starts beside the new one, which serves until the old one is ready.
// There are never fewer ready pods than before.
func (s *promote) Undo(ctx context.Context, p sluice.Progress) error {
	snap, taken, err := readSnapshot(p)
	if err != nil || !taken || len(snap.Canaries)+len(snap.Ordered) == 0 {
		return err
	}
	t, err := s.tracks(ctx, s.deps.Now())
	if err != nil {
		return err
	}
	if err := s.useHeld(ctx, t.objects, snap.Ordered); err != nil {
		return err
	}
	if err := t.useWritten(ctx); err != nil {
		return err
	}
	r := s.newRestorer(t.objects)
	stable, err := s.restoreOthers(ctx, r, snap)
	if err != nil {
		return err
	}
	changed, err := s.changed(ctx, r, stable)
	if err != nil {
		return err
	}
	if len(changed) == 0 {
		if _, err := t.moveTo(ctx, move{percent: sibling.WeightBefore(s.sc), back: true}); err != nil {
			return err
		}
		return r.left()
	}
	if err := s.bringBack(ctx, r, snap, changed, t); err != nil {
		return err
	}
	// Some may never have been promoted: their canaries go too.
	if _, err := t.moveTo(ctx, move{back: true}); err != nil {
		return err
	}
	if err := t.withdraw(ctx, snap); err != nil {
		return err
	}
	return r.left()
}

// restoreOthers puts back all objects except the Deployments, and returns these as they were, but with their present
// size if that is not the one that the deployment gave them.
func (s *promote) restoreOthers(ctx context.Context, r *restorer, snap snapshot) (stable []before, err error) {
	for _, b := range snap.Before {
		if b.Ref.Kind != "Deployment" {
			if _, err := r.restore(ctx, b); err != nil {
				return nil, err
			}
			continue
		}
		now, err := object.Get(ctx, s.account, b.Ref)
		if err != nil {
			return nil, err
		}
		size := now.Number(1, "spec", "replicas")
		if now != nil && b.Object != nil && r.ours[b.Ref].Number(-1, "spec", "replicas") != size {
			b.Object = b.Object.Clone()
			b.Object.Set(int64(size), "spec", "replicas")
		}
		stable = append(stable, b)
	}
	return stable, nil
}

// changed returns the Deployments that do not run as they did before, and are as promote wrote them. To these it adds
// those that are gone, and those that an interrupted undo has begun to put back.
func (s *promote) changed(ctx context.Context, r *restorer, stable []before) ([]before, error) {
	var list []before
	for _, b := range stable {
		now, err := object.Get(ctx, s.account, b.Ref)
		if err != nil {
			return nil, err
		}
		isChanged := now == nil || isHeldBeside(now)
		if !isChanged {
			isChanged, err = s.isChanged(ctx, r, b, now)
		}
		if err != nil {
			return nil, err
		}
		if isChanged {
			list = append(list, b)
		}
	}
	return list, nil
}

func (s *promote) isChanged(ctx context.Context, r *restorer, b before, now sluice.Object) (bool, error) {
	same, err := r.isBack(ctx, b.Object)
	if err != nil {
		return false, err
	}
	if same {
		return b.Ready && !ready.Is(now), nil
	}
	return r.stillOurs(ctx, b.Ref)
}

// bringBack brings the Deployments back. Where a ready canary stands, it carries the traffic while its Deployment
// changes. Elsewhere the old version starts beside the new one. A Deployment that cannot be brought back does not
// prevent it from bringing back the others.
func (s *promote) bringBack(ctx context.Context, r *restorer, snap snapshot, changed []before, t tracks) error {
	canaries, _, err := delivery.Canaries(ctx, s.account, t.objects, s.sc.Deployment)
	if err != nil {
		return err
	}
	canaries = slices.DeleteFunc(lasting(canaries), func(c delivery.Canary) bool { return !ready.Is(c.Object) })
	list, err := t.divisions(ctx, t.objects, declared(canaries))
	if err != nil {
		return err
	}
	if err := t.shift(ctx, toCanaries(list, canaries), 100); err != nil {
		return err
	}
	var restored []sluice.Ref
	var refused error
	for _, b := range changed {
		at := slices.IndexFunc(canaries, func(c delivery.Canary) bool { return c.Of.Ref() == b.Ref })
		if at < 0 {
			err = s.goBack(ctx, b, snap, t)
		} else if _, err = r.restore(ctx, b); err == nil {
			restored = append(restored, b.Ref)
			err = s.growBack(ctx, t, canaries[at].Of)
		}
		if sluice.MayPass(err) || err != nil && ctx.Err() != nil {
			return err
		}
		refused = errors.Join(refused, err)
	}
	return errors.Join(refused, t.waiter.Ready(ctx, restored))
}

func (s *promote) tracks(ctx context.Context, from time.Time) (tracks, error) {
	var timeout time.Duration
	if s.sc.Step.Promote != nil {
		timeout = s.sc.Step.Promote.Timeout
	}
	objects, err := s.desired(snapshot{})
	t := tracks{s.target, objects, s.newWaiter(from, timeout)}
	if err != nil {
		return t, err
	}
	return t, t.useVersions(ctx)
}
