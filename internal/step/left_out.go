package step

import (
	"context"
	"slices"

	"github.com/sluice-cd/sluice"
)

// leftOut stands for a gate of a strategy on a first deployment: no old version is there to protect, or to compare with.
type leftOut struct{ inert }

// gates are the steps of a strategy that only hold the rollout up. The others do work that a first deployment may need.
var gates = []sluice.StepKind{sluice.KindPause, sluice.KindAnalysis, sluice.KindRunWebhook}

// isLeftOut reports whether the step is such a gate and its target is deployed to for the first time.
func isLeftOut(sc sluice.StepContext) bool {
	return canBeLeftOut(sc, sc.Step) && slices.ContainsFunc(sc.Plan.Steps, func(s sluice.PlannedStep) bool {
		return s.Target == sc.Target.Name && sc.Results[s.ID].First
	})
}

// leavesOut reports whether a first deployment to the target would leave anything out.
func leavesOut(sc sluice.StepContext) bool {
	return sc.Plan != nil && slices.ContainsFunc(sc.Plan.Steps, func(s sluice.PlannedStep) bool {
		return s.Target == sc.Target.Name && canBeLeftOut(sc, s)
	})
}

// canBeLeftOut is false for all of a rehearsal, which is there to go through the gates.
func canBeLeftOut(sc sluice.StepContext, s sluice.PlannedStep) bool {
	ofStrategy := s.Phase == sluice.PhaseCanary || s.Phase == sluice.PhaseBlueGreen
	return ofStrategy && slices.Contains(gates, s.Kind) && sc.Plan != nil && sc.Plan.Rehearsal == nil
}

// Check says why nothing is done.
func (leftOut) Check(context.Context) (sluice.Preview, error) {
	return sluice.Preview{Notes: []string{"is left out: it is the first deployment"}}, nil
}

// Start does nothing.
func (leftOut) Start(_ context.Context, p sluice.Progress) (sluice.Progress, error) {
	p.State, p.Message = sluice.Done, "left out: the first deployment goes straight to 100 %"
	return p, nil
}

// Observe has nothing to wait for.
func (leftOut) Observe(_ context.Context, p sluice.Progress) (sluice.Progress, error) {
	p.State = sluice.Done
	return p, nil
}
