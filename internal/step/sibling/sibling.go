// Package sibling holds all that a step looks up in the other steps of its target: what they apply, which weights they
// give, and what they have done so far. A plan may be absent where a step is checked alone.
package sibling

import (
	"cmp"
	"iter"
	"slices"
	"time"

	"github.com/sluice-cd/sluice"
)

// all yields the planned steps of the step's target, in their order, the step itself among them.
func all(sc sluice.StepContext) iter.Seq[sluice.PlannedStep] {
	return func(yield func(sluice.PlannedStep) bool) {
		if sc.Plan == nil {
			return
		}
		for _, s := range sc.Plan.Steps {
			if s.Target == sc.Target.Name && !yield(s) {
				return
			}
		}
	}
}

// Apply returns what the target applies; the zero value if it applies nothing.
func Apply(sc sluice.StepContext) sluice.Apply {
	for s := range all(sc) {
		if s.Apply != nil {
			return *s.Apply
		}
	}
	return sluice.Apply{}
}

// FirstWeight returns the first weight that the plan gives the target's new version, 100 if it gives none.
func FirstWeight(sc sluice.StepContext) int {
	for s := range all(sc) {
		if s.SetWeight != nil && s.SetWeight.Weight > 0 && s.Phase != sluice.PhaseOnRollback {
			return s.SetWeight.Weight
		}
	}
	return 100
}

// WeightBefore returns the weight that the last setWeight before the step left, 0 if there was none. A setWeight for
// some Services alone does not count.
func WeightBefore(sc sluice.StepContext) int {
	weight := 0
	for s := range all(sc) {
		if s.ID == sc.Step.ID {
			break
		}
		if s.SetWeight != nil && len(s.SetWeight.Services) == 0 && s.Phase != sluice.PhaseOnRollback {
			weight = s.SetWeight.Weight
		}
	}
	return weight
}

// Canaries returns the canaries that the target's steps of this deployment have brought.
func Canaries(sc sluice.StepContext) []sluice.Ref {
	var refs []sluice.Ref
	for s := range all(sc) {
		refs = append(refs, sc.Results[s.ID].Canaries...)
	}
	return refs
}

// defaultExposure is how long a Service can be reached if no step of the target exposes it.
const defaultExposure = 5 * time.Minute

// Exposure returns for how long the target's steps expose the Service.
func Exposure(sc sluice.StepContext, service string) time.Duration {
	for s := range all(sc) {
		if s.ExposeServices != nil && slices.Contains(s.ExposeServices.Services, service) {
			return cmp.Or(s.ExposeServices.TTL, defaultExposure)
		}
	}
	return defaultExposure
}

// gates are the steps of a strategy that only hold the rollout up. The others do work that a first deployment may need.
var gates = []sluice.StepKind{sluice.KindPause, sluice.KindAnalysis, sluice.KindRunWebhook}

// IsLeftOut reports whether the step is a gate of a strategy and its target is deployed to for the first time: there is
// no old version to protect, or to compare with.
func IsLeftOut(sc sluice.StepContext) bool {
	if !canBeLeftOut(sc, sc.Step) {
		return false
	}
	for s := range all(sc) {
		if sc.Results[s.ID].First {
			return true
		}
	}
	return false
}

// LeavesOut reports whether a first deployment to the target would leave a step out.
func LeavesOut(sc sluice.StepContext) bool {
	for s := range all(sc) {
		if canBeLeftOut(sc, s) {
			return true
		}
	}
	return false
}

// canBeLeftOut is always false in a rehearsal: its purpose is to go through the gates.
func canBeLeftOut(sc sluice.StepContext, s sluice.PlannedStep) bool {
	ofStrategy := s.Phase == sluice.PhaseCanary || s.Phase == sluice.PhaseBlueGreen
	return ofStrategy && slices.Contains(gates, s.Kind) && sc.Plan != nil && sc.Plan.Rehearsal == nil
}
