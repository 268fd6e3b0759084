package step

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
)

// setWeight divides the traffic between the stable pods and the canary. Where no canary stands, because the
// rollout is a rolling update or a first deployment, there is nothing to divide.
type setWeight struct {
	deps    Deps
	sc      sluice.StepContext
	account sluice.Account
}

func newSetWeight(d Deps, sc sluice.StepContext) (sluice.Step, error) {
	a, err := d.account(sc.Target.Account, sc.Step.Pos)
	if err != nil {
		return nil, err
	}
	return &setWeight{d, sc, a}, nil
}

// Check says which weight follows which.
func (s *setWeight) Check(context.Context) (sluice.Preview, error) {
	if only := s.sc.Step.SetWeight.Services; len(only) > 0 {
		return sluice.Preview{Notes: []string{"points " + strings.Join(only, ", ") + " at the new version"}}, nil
	}
	return sluice.Preview{Notes: []string{fmt.Sprintf("sends %d %% of the traffic to the new version, after %d %%", s.sc.Step.SetWeight.Weight, weightBefore(s.sc))}}, nil
}

// Start shifts the traffic.
func (s *setWeight) Start(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	divided, err := s.shift(ctx, s.sc.Step.SetWeight.Weight)
	if err != nil {
		return p, err
	}
	p.State, p.Message = sluice.Done, fmt.Sprintf("%d %% of the traffic goes to the new version", s.sc.Step.SetWeight.Weight)
	if only := s.sc.Step.SetWeight.Services; len(only) > 0 {
		p.Message = strings.Join(only, ", ") + " shows the new version"
	}
	if divided == 0 {
		p.Message = "there is no canary: all of the traffic goes to the only version"
	}
	return p, nil
}

// Observe has nothing to wait for: a shift holds when it returns.
func (s *setWeight) Observe(_ context.Context, p sluice.Progress) (sluice.Progress, error) {
	p.State = sluice.Done
	return p, nil
}

// Finish keeps the weight.
func (s *setWeight) Finish(context.Context, sluice.Progress) error { return nil }

// Undo shifts back to the weight that the plan had before this step.
func (s *setWeight) Undo(ctx context.Context, _ sluice.Progress) error {
	_, err := s.shift(ctx, weightBefore(s.sc))
	return err
}

// shift returns how many Services it divided.
func (s *setWeight) shift(ctx context.Context, percent int) (int, error) {
	objects, err := targetObjects(s.deps, s.sc)
	if err != nil {
		return 0, err
	}
	_, divided, err := canaries(ctx, s.account, objects)
	if err != nil {
		return 0, err
	}
	if only := s.sc.Step.SetWeight.Services; len(only) > 0 {
		divided = slices.DeleteFunc(divided, func(r sluice.Ref) bool { return !slices.Contains(only, r.Name) })
	}
	return len(divided), shift(ctx, s.account, divided, percent)
}
