package step

import (
	"context"
	"time"

	"github.com/sluice-cd/sluice"
)

// promote makes the stable Deployments run the new version while the canaries carry the traffic, then takes
// the canaries away. At every moment one full set of ready pods serves.
type promote struct {
	deps    Deps
	sc      sluice.StepContext
	account sluice.Account
}

func newPromote(d Deps, sc sluice.StepContext) (sluice.Step, error) {
	a, err := d.account(sc.Target.Account, sc.Step.Pos)
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
	beside, _, err := canaries(ctx, s.account, objects)
	if err != nil {
		return sluice.Preview{}, err
	}
	img := image{At: s.deps.Now()}
	var notes []string
	for _, o := range append(deferred(objects, beside), beside...) {
		was, err := get(ctx, s.account, o.Ref())
		if err != nil {
			return sluice.Preview{}, err
		}
		if err := img.add(o.Ref(), was, s.deps.Sealer); err != nil {
			return sluice.Preview{}, err
		}
		if o.Text("kind") != "Deployment" {
			img.Deferred = append(img.Deferred, o.Ref())
			continue
		}
		img.Canaries = append(img.Canaries, o.Ref())
		notes = append(notes, o.Ref().String()+" changes to the new version behind its canary, which is then removed")
	}
	raw, err := record(img)
	return sluice.Preview{Notes: notes, Image: raw}, err
}

// Start promotes. Each part of it changes nothing where it was done before.
func (s *promote) Start(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	img, taken, err := takenImage(p)
	if err != nil || !taken {
		return p, orError(err, "promote was started without its image")
	}
	p.State, p.Message = sluice.Done, "there is no canary: the only version runs already"
	if len(img.Canaries) == 0 {
		return p, nil
	}
	objects, err := targetObjects(s.deps, s.sc)
	if err != nil {
		return p, err
	}
	stable := pick(objects, img.Canaries)
	if err := s.shiftIfBeside(ctx, objects, 100); err != nil {
		return p, err
	}
	for _, o := range append(pick(objects, img.Deferred), stable...) {
		_, outcome, err := write(ctx, s.account, o)
		if err != nil {
			return p, err
		}
		p.Changes = append(p.Changes, sluice.Change{Object: o.Ref().String(), Outcome: outcome})
	}
	if err := s.watcher(img.At).ready(ctx, img.Canaries); err != nil {
		return p, err
	}
	p.Message = "the new version runs in place of the old one"
	return p, s.withdraw(ctx, img, objects)
}

// withdraw sends the traffic to the stable pods and removes the canaries.
func (s *promote) withdraw(ctx context.Context, img image, objects []sluice.Object) error {
	if err := s.shiftIfBeside(ctx, objects, 0); err != nil {
		return err
	}
	for _, ref := range img.Canaries {
		if err := removeOwn(ctx, s.account, canaryRef(ref), s.sc.Deployment); err != nil {
			return err
		}
	}
	return removeVersions(ctx, s.account, pick(objects, img.Deferred), s.sc.Deployment)
}

// Observe has nothing to wait for: Start waits.
func (s *promote) Observe(_ context.Context, p sluice.Progress) (sluice.Progress, error) {
	p.State = sluice.Done
	return p, nil
}

// Finish keeps the new version.
func (s *promote) Finish(context.Context, sluice.Progress) error { return nil }

// shiftIfBeside divides the traffic where a canary stands, and does nothing where none does.
func (s *promote) shiftIfBeside(ctx context.Context, objects []sluice.Object, percent int) error {
	_, divided, err := canaries(ctx, s.account, objects)
	if err != nil {
		return err
	}
	return shift(ctx, s.account, divided, percent)
}

func (s *promote) watcher(from time.Time) watcher {
	timeout := defaultTimeout
	if s.sc.Step.Promote != nil {
		timeout = orDefault(s.sc.Step.Promote.Timeout, defaultTimeout)
	}
	return watcher{s.account, from.Add(timeout), s.deps.Now, s.sc.Report}
}
