package rollout

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/delivery"
	"github.com/sluice-cd/sluice/internal/step/deps"
	"github.com/sluice-cd/sluice/internal/step/object"
	"github.com/sluice-cd/sluice/internal/step/ready"
	"github.com/sluice-cd/sluice/internal/step/record"
	"github.com/sluice-cd/sluice/internal/step/sibling"
)

// promote makes the stable Deployments run the new version while the canaries carry the traffic, then takes the
// canaries away. At every moment a full set of ready pods serves.
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
			notes = append(notes, ref.String()+" changes to the new version behind its canary, which is then removed")
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
	t, err := s.tracks(snap.At)
	if err != nil {
		return p, err
	}
	if _, err := t.rollTo(ctx, 100); err != nil {
		return p, err
	}
	if _, err := t.moveTo(ctx, move{percent: 100}); err != nil {
		return p, err
	}
	for _, refs := range [][]sluice.Ref{snap.Ordered, snap.Deferred, snap.Canaries} {
		for _, o := range pick(t.objects, refs) {
			_, outcome, err := object.Apply(ctx, s.account, o)
			if err != nil {
				return p, err
			}
			if err := s.growBack(ctx, o.Ref()); err != nil {
				return p, err
			}
			p.Changes = append(p.Changes, sluice.Change{Object: o.Ref().String(), Outcome: outcome})
		}
	}
	pods, err := steady(ctx, t.waiter, slices.Concat(snap.Ordered, snap.Canaries))
	if err != nil {
		return p, err
	}
	p.Result = resultOf(pods)
	p.Message = "the new version runs in place of the old one"
	return p, t.withdraw(ctx, snap)
}

// growBack gives a Deployment that was scaled down for its canary its pods back.
func (s *promote) growBack(ctx context.Context, ref sluice.Ref) error {
	if ref.Kind != "Deployment" {
		return nil
	}
	canary, err := object.Get(ctx, s.account, delivery.CanaryOf(ref))
	if err != nil || canary == nil {
		return err
	}
	both, stands, err := s.pair(ctx, ref, canary)
	if err != nil || !stands || both.scaler != nil || both.stable.Number(1, "spec", "replicas") >= both.wanted() {
		return err
	}
	return object.Scale(ctx, s.account, ref, both.wanted())
}

// Undo brings the stable Deployments back to the version they had. If they still have it, only the weight before
// promotion comes back. Otherwise other pods carry the traffic meanwhile: the canaries if they are still there and
// ready, else the old version beside the stable Deployments, which serves as soon as it is ready. There are never fewer
// ready pods than before.
func (s *promote) Undo(ctx context.Context, p sluice.Progress) error {
	snap, taken, err := readSnapshot(p)
	if err != nil || !taken || len(snap.Canaries)+len(snap.Ordered) == 0 {
		return err
	}
	t, err := s.tracks(s.deps.Now())
	if err != nil {
		return err
	}
	if err := s.useHeld(ctx, t.objects, snap.Ordered); err != nil {
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
	for _, b := range changed {
		err := s.bringBeside(ctx, t.waiter, b)
		if sluice.ErrorCode(err) == sluice.Failed { // the new version stays, and gets its configuration again
			for _, o := range pick(t.objects, snap.Deferred) {
				_, _, applied := object.Apply(ctx, s.account, o)
				err = errors.Join(err, applied)
			}
		}
		if err != nil {
			return err
		}
	}
	if err := s.bringBack(ctx, r, changed, t); err != nil {
		return err
	}
	// Those that were never promoted are still as small as the weight made them, and their canaries go too.
	if _, err := t.moveTo(ctx, move{back: true, from: 100}); err != nil {
		return err
	}
	if err := t.withdraw(ctx, snap); err != nil {
		return err
	}
	return r.left()
}

// restoreOthers puts back all objects except the Deployments, and returns these as they were, but with their present
// size: at a high weight a Deployment had fewer pods than it should keep.
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
		if now != nil && b.Object != nil {
			b.Object = b.Object.Clone()
			b.Object.Set(int64(now.Number(1, "spec", "replicas")), "spec", "replicas")
		}
		stable = append(stable, b)
	}
	return stable, nil
}

// changed returns the Deployments that do not run as they did before, and are as promote wrote them. To these it adds
// those that an interrupted undo has put back already, but whose pods are not all back.
func (s *promote) changed(ctx context.Context, r *restorer, stable []before) ([]before, error) {
	var list []before
	for _, b := range stable {
		same, err := r.isBack(ctx, b.Object)
		if err != nil {
			return nil, err
		}
		isChanged := false
		if same {
			var now sluice.Object
			now, err = object.Get(ctx, s.account, b.Ref)
			isChanged = b.Ready && !ready.Is(now)
		} else {
			isChanged, err = r.stillOurs(ctx, b.Ref)
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

// bringBeside makes sure that there are ready pods beside the Deployment. If they do not become ready, it removes them
// again: then the stable pods are the only healthy copy, whatever their version.
func (s *promote) bringBeside(ctx context.Context, w ready.Waiter, b before) error {
	canary := delivery.CanaryOf(b.Ref)
	standing, err := object.Get(ctx, s.account, canary)
	if err != nil || standing != nil && ready.Is(standing) {
		return err
	}
	now, err := s.account.Get(ctx, b.Ref)
	if err != nil {
		return object.WithOp("read", b.Ref, err)
	}
	old := canaryOf(b.Object, now, now.Number(1, "spec", "replicas"), s.sc.Deployment)
	if _, _, err := object.Apply(ctx, s.account, old); err != nil {
		return err
	}
	err = w.Ready(ctx, []sluice.Ref{canary})
	if sluice.ErrorCode(err) != sluice.Failed {
		return err
	}
	if removeErr := delivery.Delete(ctx, s.account, canary, s.sc.Deployment); removeErr != nil {
		return removeErr
	}
	return sluice.Errorf(sluice.Failed, "the old version of %s does not get ready, so the new one stays: %w", b.Ref, err).
		WithHint("repair what the old version needs, or roll forward")
}

// bringBack lets other pods serve while the stable ones change.
func (s *promote) bringBack(ctx context.Context, r *restorer, changed []before, t tracks) error {
	if _, err := t.moveTo(ctx, move{percent: 100}); err != nil {
		return err
	}
	var restored []sluice.Ref
	for _, b := range changed {
		if _, err := r.restore(ctx, b); err != nil {
			return err
		}
		if err := s.growBack(ctx, b.Ref); err != nil {
			return err
		}
		restored = append(restored, b.Ref)
	}
	return t.waiter.Ready(ctx, restored)
}

func (s *promote) tracks(from time.Time) (tracks, error) {
	var timeout time.Duration
	if s.sc.Step.Promote != nil {
		timeout = s.sc.Step.Promote.Timeout
	}
	objects, err := s.desired(snapshot{})
	return tracks{s.target, objects, s.newWaiter(from, timeout)}, err
}
