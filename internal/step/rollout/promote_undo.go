package rollout

import (
	"context"
	"errors"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
	"github.com/sluice-cd/sluice/internal/step/delivery"
	"github.com/sluice-cd/sluice/internal/step/object"
	"github.com/sluice-cd/sluice/internal/step/ready"
	"github.com/sluice-cd/sluice/internal/step/sibling"
)

// Undo brings the stable Deployments back to the version they had. If they have it still, only the weight of
// before promotion comes back. Otherwise other pods carry the traffic meanwhile: the canaries if they are still
// there and ready, else the old version beside the stable Deployments, which serves as soon as it is ready.
// Never are fewer pods ready than before.
func (s *promote) Undo(ctx context.Context, p sluice.Progress) error {
	img, taken, err := takenImage(p)
	if err != nil || !taken || len(img.Canaries)+len(img.Ordered) == 0 {
		return err
	}
	objects, err := targetObjects(s.deps, s.sc)
	if err != nil {
		return err
	}
	if err := heldAsNow(ctx, s.account, objects, img.Ordered, s.sc.Deployment); err != nil {
		return err
	}
	r := newRestorer(s.deps, s.account, objects)
	var stable []before
	for _, b := range img.Before {
		if b.Ref.Kind == "Deployment" {
			if b, err = s.counted(ctx, b); err != nil {
				return err
			}
			stable = append(stable, b)
			continue
		}
		if _, err := r.restore(ctx, b); err != nil {
			return err
		}
	}
	t := s.tracks(s.deps.Now(), objects)
	changed, err := s.changed(ctx, r, stable)
	if err != nil {
		return err
	}
	if len(changed) == 0 {
		return joinLeft(r, s.carry(ctx, t, move{percent: sibling.WeightBefore(s.sc), back: true}))
	}
	if err := s.standInAll(ctx, t, changed); err != nil {
		return errors.Join(err, s.keepConfiguration(ctx, pick(objects, img.Deferred), err))
	}
	if err := s.bringBack(ctx, r, changed, t); err != nil {
		return err
	}
	// Those that were never promoted are still as small as the weight made them, and their canaries go too.
	if err := s.carry(ctx, t, move{back: true, from: 100}); err != nil {
		return err
	}
	return joinLeft(r, s.withdraw(ctx, t, img))
}

// counted returns the Deployment as it was, but with as many pods as it wants now: at a high weight it had fewer than it
// was to keep.
func (s *promote) counted(ctx context.Context, b before) (before, error) {
	now, err := object.Get(ctx, s.account, b.Ref)
	if err != nil || now == nil || b.Object == nil {
		return b, err
	}
	b.Object = b.Object.Clone()
	b.Object.Set(int64(now.Number(1, "spec", "replicas")), "spec", "replicas")
	return b, nil
}

func joinLeft(r *restorer, err error) error {
	if err != nil {
		return err
	}
	return r.left()
}

// changed returns those that do not run as they did before, and are as promote wrote them, and those that an undo which
// was interrupted has put back already, but whose pods are not all back.
func (s *promote) changed(ctx context.Context, r *restorer, stable []before) ([]before, error) {
	var list []before
	for _, b := range stable {
		same, err := r.isBack(ctx, b.Object)
		if err != nil {
			return nil, err
		}
		if same {
			now, err := object.Get(ctx, s.account, b.Ref)
			if err != nil {
				return nil, err
			}
			if b.Ready && !ready.Is(now) {
				list = append(list, b)
			}
			continue
		}
		mine, err := r.stillOurs(ctx, b.Ref)
		if err != nil {
			return nil, err
		}
		if mine {
			list = append(list, b)
		}
	}
	return list, nil
}

func (s *promote) standInAll(ctx context.Context, t tracks, changed []before) error {
	for _, b := range changed {
		if err := s.standIn(ctx, t.watcher, b); err != nil {
			return err
		}
	}
	return nil
}

// keepConfiguration gives the new version, which stays, its configuration again.
func (s *promote) keepConfiguration(ctx context.Context, config []sluice.Object, why error) error {
	if sluice.ErrorCode(why) != sluice.Failed {
		return nil
	}
	for _, o := range config {
		if _, _, err := object.Apply(ctx, s.account, o); err != nil {
			return err
		}
	}
	return nil
}

// bringBack carries the traffic on other pods while the stable ones change.
func (s *promote) bringBack(ctx context.Context, r *restorer, changed []before, t tracks) error {
	if err := s.carry(ctx, t, move{percent: 100}); err != nil {
		return err
	}
	var restored []sluice.Ref
	for _, b := range changed {
		if _, err := r.restore(ctx, b); err != nil {
			return err
		}
		if err := s.refill(ctx, b.Ref); err != nil {
			return err
		}
		restored = append(restored, b.Ref)
	}
	return t.watcher.Ready(ctx, restored)
}

// refill gives a Deployment that was made smaller for its canary its pods back.
func (s *promote) refill(ctx context.Context, ref sluice.Ref) error {
	canary, err := object.Get(ctx, s.account, delivery.CanaryOf(ref))
	if err != nil || canary == nil {
		return err
	}
	both, stands, err := pairOf(ctx, s.account, ref, canary)
	if err != nil || !stands || both.scaler != nil || both.stable.Number(1, "spec", "replicas") >= both.wanted() {
		return err
	}
	return object.Scale(ctx, s.account, ref, both.wanted())
}

// standIn makes sure that ready pods stand beside the Deployment. If they do not get ready they are taken away
// again: the stable ones are the only healthy copy then, whatever their version.
func (s *promote) standIn(ctx context.Context, w ready.Waiter, b before) error {
	standing, err := object.Get(ctx, s.account, delivery.CanaryOf(b.Ref))
	if err != nil || standing != nil && manifest.Status(standing).Phase == manifest.Ready {
		return err
	}
	now, err := s.account.Get(ctx, b.Ref)
	if err != nil {
		return object.WithOp("read", b.Ref, err)
	}
	if _, _, err := object.Apply(ctx, s.account, canaryOf(b.Object, now, now.Number(1, "spec", "replicas"), s.sc.Deployment)); err != nil {
		return err
	}
	err = w.Ready(ctx, []sluice.Ref{delivery.CanaryOf(b.Ref)})
	if sluice.ErrorCode(err) != sluice.Failed {
		return err
	}
	if removeErr := delivery.Delete(ctx, s.account, delivery.CanaryOf(b.Ref), s.sc.Deployment); removeErr != nil {
		return removeErr
	}
	return sluice.Errorf(sluice.Failed, "the old version of %s does not get ready, so the new one stays: %w", b.Ref, err).
		WithHint("repair what the old version needs, or roll forward")
}
