package service

import (
	"context"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

// A Promotion is a person's wish that a target skips what is left of its strategy.
type Promotion struct {
	Deployment string // an id or its beginning; "": the only one that runs
	Target     string // "": the only one that is on its way to promotion
	By         sluice.Actor
	Reason     string
}

// PlanPromotion returns the deployment and the signal that tells it about the promotion, and changes nothing. NotFound:
// there is no such deployment or target; Invalid: several targets are on their way to promotion; Conflict and Denied
// are those of [engine.Admit].
func PlanPromotion(ctx context.Context, store sluice.Store, p Promotion) (*engine.State, sluice.Signal, error) {
	sig := sluice.Signal{Kind: sluice.SignalPromote, By: p.By, Reason: p.Reason}
	s, err := Running(ctx, store, p.Deployment)
	if err != nil {
		return nil, sig, err
	}
	targets := []string{p.Target}
	if p.Target == "" {
		targets = onTheirWay(s)
	}
	switch {
	case len(targets) > 1:
		return nil, sig, sluice.Errorf(sluice.Invalid, "%d targets can be promoted", len(targets)).
			WithHint("name one of them: --target %s", strings.Join(targets, " or --target "))
	case len(targets) == 0:
		return nil, sig, sluice.Errorf(sluice.Conflict, "no target of deployment %s has a gate or weight left to skip", s.ID).
			WithHint("see what it does with: sluice status %s", s.ID)
	}
	step := s.Promotion(targets[0])
	if step == nil {
		return nil, sig, sluice.Errorf(sluice.NotFound, "deployment %s has no target %q with a strategy", s.ID, p.Target).
			WithHint("see its targets with: sluice status %s", s.ID)
	}
	sig.Step = step.Plan.ID
	return s, sig, engine.Admit(s, sig)
}

// onTheirWay returns the targets that have begun and could skip something.
func onTheirWay(s *engine.State) []string {
	var list []string
	for _, t := range s.Plan.Targets {
		switch s.Target(t.Name) {
		case sluice.StatusRunning, sluice.StatusWaiting, sluice.StatusPaused, sluice.StatusRollingBack:
			if s.Promotion(t.Name) != nil && len(s.Skippable(t.Name)) > 0 {
				list = append(list, t.Name)
			}
		}
	}
	return list
}
