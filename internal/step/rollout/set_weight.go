package rollout

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/deps"
	"github.com/sluice-cd/sluice/internal/step/ready"
	"github.com/sluice-cd/sluice/internal/step/record"
	"github.com/sluice-cd/sluice/internal/step/sibling"
)

// setWeight divides the traffic between the stable pods and the canary. Where no canary stands, because the
// rollout is a rolling update or a first deployment, there is nothing to divide.
type setWeight struct {
	deps    deps.Deps
	sc      sluice.StepContext
	account sluice.Account
}

func NewSetWeight(d deps.Deps, sc sluice.StepContext) (sluice.Step, error) {
	a, err := d.Account(sc.Target.Account, sc.Step.Pos)
	if err != nil {
		return nil, err
	}
	return &setWeight{d, sc, a}, nil
}

// Check says which weight follows which, and fixes from when its time counts.
func (s *setWeight) Check(context.Context) (sluice.Preview, error) {
	note := fmt.Sprintf("sends %d %% of the traffic to the new version, after %d %%", s.sc.Step.SetWeight.Weight, sibling.WeightBefore(s.sc))
	if services := s.sc.Step.SetWeight.Services; len(services) > 0 {
		note = "points " + strings.Join(services, ", ") + " at the new version"
	}
	raw, err := record.Write(image{At: s.deps.Now()})
	return sluice.Preview{Notes: []string{note}, Snapshot: raw}, err
}

// Start shifts the traffic.
func (s *setWeight) Start(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	img, taken, err := takenImage(p)
	if err != nil || !taken {
		return p, orError(err, "setWeight was started without its image")
	}
	t, err := s.tracks(img.At)
	if err != nil {
		return p, err
	}
	weight, services := s.sc.Step.SetWeight.Weight, s.sc.Step.SetWeight.Services
	divided, share, err := t.moveTo(ctx, move{percent: weight, services: services, all: true})
	if err != nil {
		return p, err
	}
	p.State = sluice.Done
	if len(services) > 0 {
		p.Message = strings.Join(services, ", ") + " shows the new version"
		return p, nil
	}
	rolled, err := t.rollTo(ctx, weight)
	if err != nil {
		return p, err
	}
	p.Message = outcome(weight, divided, share, rolled)
	return p, nil
}

func outcome(weight, divided int, share, rolled string) string {
	var words []string
	if divided > 0 {
		words = append(words, fmt.Sprintf("%d %% of the traffic goes to the new version", weight))
	}
	for _, w := range []string{share, rolled} {
		if w != "" {
			words = append(words, w)
		}
	}
	if len(words) == 0 {
		return "there is no canary: all of the traffic goes to the only version"
	}
	return strings.Join(words, "; ")
}

// Observe has nothing to wait for: a shift holds when it returns.
func (s *setWeight) Observe(_ context.Context, p sluice.Progress) (sluice.Progress, error) {
	p.State = sluice.Done
	return p, nil
}

// Finish keeps the weight.
func (s *setWeight) Finish(context.Context, sluice.Progress) error { return nil }

// Undo shifts back to the weight that the plan had before this step. Pods that changed their version one by one keep
// it: they go back when what brought it is undone.
func (s *setWeight) Undo(ctx context.Context, _ sluice.Progress) error {
	t, err := s.tracks(s.deps.Now())
	if err != nil {
		return err
	}
	before, services := sibling.WeightBefore(s.sc), s.sc.Step.SetWeight.Services
	if _, _, err := t.moveTo(ctx, move{percent: before, services: services, back: true, from: s.sc.Step.SetWeight.Weight}); err != nil || len(services) > 0 {
		return err
	}
	return t.holdAt(ctx, before)
}

func (s *setWeight) tracks(from time.Time) (tracks, error) {
	objects, err := targetObjects(s.deps, s.sc)
	spec := sibling.Apply(s.sc)
	deadline := from.Add(cmp.Or(spec.Timeout, ready.DefaultTimeout))
	return tracks{s.account, s.sc, objects, s.deps.Waiter(s.sc, s.account, deadline)}, err
}
