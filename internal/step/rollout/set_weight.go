package rollout

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/deps"
	"github.com/sluice-cd/sluice/internal/step/record"
	"github.com/sluice-cd/sluice/internal/step/sibling"
)

// setWeight divides the traffic between the stable pods and the canary. If there is no canary, because the rollout is a
// rolling update or a first deployment, there is nothing to divide.
type setWeight struct {
	target
	atOnce
	spec sluice.SetWeight
}

// NewSetWeight returns the step that gives the new version its share of the traffic.
func NewSetWeight(d deps.Deps, sc sluice.StepContext) (sluice.Step, error) {
	t, err := newTarget(d, sc)
	return &setWeight{target: t, spec: *sc.Step.SetWeight}, err
}

// Check says which weight follows which, and fixes when its time begins to count.
func (s *setWeight) Check(context.Context) (sluice.Preview, error) {
	note := fmt.Sprintf("sends %d %% of the traffic to the new version, after %d %%",
		s.spec.Weight, sibling.WeightBefore(s.sc))
	if len(s.spec.Services) > 0 {
		note = "points " + strings.Join(s.spec.Services, ", ") + " at the new version"
	}
	raw, err := record.Write(snapshot{At: s.deps.Now()})
	return sluice.Preview{Notes: []string{note}, Snapshot: raw}, err
}

// Start shifts the traffic.
func (s *setWeight) Start(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	snap, err := s.startedWith(p)
	if err != nil {
		return p, err
	}
	t, err := s.tracks(snap.At)
	if err != nil {
		return p, err
	}
	weight, services := s.spec.Weight, s.spec.Services
	gets, err := t.moveTo(ctx, move{percent: weight, services: services, all: true})
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
	if p.Result, err = t.result(ctx, sibling.Canaries(s.sc)); err != nil {
		return p, err
	}
	if p.Message = joined([]string{gets, rolled}, "; "); p.Message == "" {
		p.Message = "there is no canary: all of the traffic goes to the only version"
	}
	return p, nil
}

// Undo shifts back to the weight that the plan had before this step. Pods that changed their version one by one keep it
// until the step that applied the version is undone.
func (s *setWeight) Undo(ctx context.Context, _ sluice.Progress) error {
	t, err := s.tracks(s.deps.Now())
	if err != nil {
		return err
	}
	before, services := sibling.WeightBefore(s.sc), s.spec.Services
	back := move{percent: before, services: services, back: true}
	if _, err := t.moveTo(ctx, back); err != nil || len(services) > 0 {
		return err
	}
	return t.holdAt(ctx, before)
}

func (s *setWeight) tracks(from time.Time) (tracks, error) {
	objects, err := s.desired(snapshot{})
	return tracks{s.target, objects, s.newWaiter(from, sibling.Apply(s.sc).Timeout)}, err
}
