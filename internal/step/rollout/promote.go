package rollout

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/delivery"
	"github.com/sluice-cd/sluice/internal/step/deps"
	"github.com/sluice-cd/sluice/internal/step/object"
	"github.com/sluice-cd/sluice/internal/step/ready"
	"github.com/sluice-cd/sluice/internal/step/record"
)

// promote makes the stable Deployments run the new version while the canaries carry the traffic, then takes
// the canaries away. At every moment one full set of ready pods serves.
type promote struct {
	deps    deps.Deps
	sc      sluice.StepContext
	account sluice.Account
}

func NewPromote(d deps.Deps, sc sluice.StepContext) (sluice.Step, error) {
	a, err := d.Account(sc.Target.Account, sc.Step.Pos)
	if err != nil {
		return nil, err
	}
	return &promote{d, sc, a}, nil
}

// Check keeps the stable Deployments that have a canary, and the configuration that changes with them.
func (s *promote) Check(ctx context.Context) (sluice.Preview, error) {
	objects, err := targetObjects(s.deps, s.sc)
	if err != nil {
		return sluice.Preview{}, err
	}
	standing, err := delivery.Canaries(ctx, s.account, objects, delivery.Of(s.sc.Deployment))
	if err != nil {
		return sluice.Preview{}, err
	}
	if err := allStand(s.sc, lasting(standing)); err != nil {
		return sluice.Preview{}, err
	}
	beside := declared(standing)
	ordered, err := held(ctx, s.account, objects, s.sc.Deployment)
	if err != nil {
		return sluice.Preview{}, err
	}
	img := image{At: s.deps.Now()}
	var notes []string
	for _, o := range slices.Concat(ordered, deferred(objects, beside), beside) {
		was, err := object.Get(ctx, s.account, o.Ref())
		if err != nil {
			return sluice.Preview{}, err
		}
		if err := img.add(o.Ref(), was, s.deps.Sealer); err != nil {
			return sluice.Preview{}, err
		}
		switch o.Text("kind") {
		case "Deployment":
			img.Canaries = append(img.Canaries, o.Ref())
			notes = append(notes, o.Ref().String()+" changes to the new version behind its canary, which is then removed")
		case "StatefulSet", "DaemonSet":
			img.Ordered = append(img.Ordered, o.Ref())
			notes = append(notes, "the pods of "+o.Ref().String()+" that are left change to the new version")
		default:
			img.Deferred = append(img.Deferred, o.Ref())
		}
	}
	raw, err := record.Write(img)
	return sluice.Preview{Notes: notes, Snapshot: raw}, err
}

// Start promotes. Each part of it changes nothing where it was done before.
func (s *promote) Start(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	img, taken, err := takenImage(p)
	if err != nil || !taken {
		return p, orError(err, "promote was started without its image")
	}
	p.State, p.Message = sluice.Done, "there is no canary: the only version runs already"
	if len(img.Canaries)+len(img.Ordered) == 0 {
		return p, nil
	}
	objects, err := targetObjects(s.deps, s.sc)
	if err != nil {
		return p, err
	}
	t := s.tracks(img.At, objects)
	if _, err := t.rollTo(ctx, 100); err != nil {
		return p, err
	}
	if err := s.carry(ctx, t, move{percent: 100}); err != nil {
		return p, err
	}
	for _, o := range slices.Concat(pick(objects, img.Ordered), pick(objects, img.Deferred), pick(objects, img.Canaries)) {
		change, err := s.take(ctx, o)
		if err != nil {
			return p, err
		}
		p.Changes = append(p.Changes, change)
	}
	if err := t.watcher.Ready(ctx, slices.Concat(img.Ordered, img.Canaries)); err != nil {
		return p, err
	}
	p.Message = "the new version runs in place of the old one"
	return p, s.withdraw(ctx, t, img)
}

// take makes the object as declared. A Deployment that was scaled down for its canary gets its pods back.
func (s *promote) take(ctx context.Context, o sluice.Object) (sluice.Change, error) {
	_, outcome, err := object.Apply(ctx, s.account, o)
	change := sluice.Change{Object: o.Ref().String(), Outcome: outcome}
	if err != nil || o.Text("kind") != "Deployment" {
		return change, err
	}
	return change, s.refill(ctx, o.Ref())
}

// withdraw sends the traffic to the stable pods and removes the canaries.
func (s *promote) withdraw(ctx context.Context, t tracks, img image) error {
	if err := t.withdraw(ctx, img.Canaries); err != nil {
		return err
	}
	return removeVersions(ctx, s.account, pick(t.objects, img.Deferred), s.sc.Deployment)
}

// Observe has nothing to wait for: Start waits.
func (s *promote) Observe(_ context.Context, p sluice.Progress) (sluice.Progress, error) {
	p.State = sluice.Done
	return p, nil
}

// Finish keeps the new version.
func (s *promote) Finish(context.Context, sluice.Progress) error { return nil }

// carry divides the traffic where a canary stands, and does nothing where none does.
func (s *promote) carry(ctx context.Context, t tracks, m move) error {
	_, _, err := t.moveTo(ctx, m)
	return err
}

func (s *promote) tracks(from time.Time, objects []sluice.Object) tracks {
	return tracks{s.account, s.sc, objects, s.watcher(from)}
}

func (s *promote) watcher(from time.Time) ready.Waiter {
	timeout := ready.DefaultTimeout
	if s.sc.Step.Promote != nil {
		timeout = cmp.Or(s.sc.Step.Promote.Timeout, ready.DefaultTimeout)
	}
	return s.deps.Waiter(s.sc, s.account, from.Add(timeout))
}
