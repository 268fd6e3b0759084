// Package sibling looks up what a step needs from the other steps of its target: what they apply, which weights they
// give, and what they have done so far. The plan may be absent if a step is checked alone.
package sibling

import (
	"cmp"
	"slices"
	"time"

	"github.com/sluice-cd/sluice"
)

// steps returns the planned steps of the step's target, in their order, the step itself among them.
func steps(sc sluice.StepContext) []sluice.PlannedStep {
	if sc.Plan == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(sc.Plan.Steps), func(s sluice.PlannedStep) bool {
		return s.Target != sc.Target.Name
	})
}

// Earlier returns the steps that act on the step's account before it: those of its target, and of the targets that its
// target depends on.
func Earlier(sc sluice.StepContext) []sluice.PlannedStep { return EarlierOn(sc, sc.Target.Account) }

// EarlierOn is Earlier for another account.
func EarlierOn(sc sluice.StepContext, account string) []sluice.PlannedStep {
	if sc.Plan == nil {
		return nil
	}
	before := map[string]bool{}
	dependencies(sc.Plan, sc.Target, before)
	var list []sluice.PlannedStep
	passed := false
	for _, s := range sc.Plan.Steps {
		passed = passed || s.ID == sc.Step.ID
		of, _ := sc.Plan.Target(s.Target)
		isBefore := before[s.Target]
		if s.Target == sc.Target.Name {
			of, isBefore = sc.Target, !passed
		}
		if isBefore && of.Account == account && s.Phase != sluice.PhaseOnRollback {
			list = append(list, s)
		}
	}
	return list
}

// dependencies adds the targets that the target depends on, directly or not.
func dependencies(p *sluice.Plan, of sluice.PlannedTarget, found map[string]bool) {
	for _, name := range of.DependsOn {
		if t, ok := p.Target(name); ok && !found[name] {
			found[name] = true
			dependencies(p, t, found)
		}
	}
}

// Apply returns what the target applies; the zero value if it applies nothing.
func Apply(sc sluice.StepContext) sluice.Apply {
	for _, s := range steps(sc) {
		if s.Apply != nil {
			return *s.Apply
		}
	}
	return sluice.Apply{}
}

// FirstWeight returns the first weight above 0 that the plan gives the target's new version, 100 if it gives none.
func FirstWeight(sc sluice.StepContext) int {
	for _, weight := range Weights(sc) {
		return weight
	}
	return 100
}

// Weights returns the weights above 0 that the plan gives the target's new version, in their order. A setWeight for
// some Services alone does not count.
func Weights(sc sluice.StepContext) []int {
	var weights []int
	for _, s := range steps(sc) {
		w := s.SetWeight
		if w != nil && w.Weight > 0 && len(w.Services) == 0 && s.Phase != sluice.PhaseOnRollback {
			weights = append(weights, w.Weight)
		}
	}
	return weights
}

// WeightBefore returns the weight that the last setWeight before the step left, 0 if there was none. A setWeight for
// some Services alone does not count, nor does one that was skipped.
func WeightBefore(sc sluice.StepContext) int {
	weight := 0
	for _, s := range steps(sc) {
		if s.ID == sc.Step.ID {
			break
		}
		if sc.Results[s.ID].Skipped {
			continue
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
	for _, s := range steps(sc) {
		refs = append(refs, sc.Results[s.ID].Canaries...)
	}
	return refs
}

// Brought returns the pods that the target's steps of this deployment have brought, in the order of the steps.
func Brought(sc sluice.StepContext) []sluice.Brought {
	var list []sluice.Brought
	for _, s := range steps(sc) {
		list = append(list, sc.Results[s.ID].Brought...)
	}
	return list
}

// defaultExposure is how long a Service can be reached if no step of the target exposes it.
const defaultExposure = 5 * time.Minute

// Exposure returns for how long the target's steps expose the Service.
func Exposure(sc sluice.StepContext, service string) time.Duration {
	for _, s := range steps(sc) {
		if s.ExposeServices != nil && slices.Contains(s.ExposeServices.Services, service) {
			return cmp.Or(s.ExposeServices.TTL, defaultExposure)
		}
	}
	return defaultExposure
}

// IsLeftOut reports whether the step is a gate of a strategy and its target is deployed to for the first time: there is
// no old version to protect, or to compare with.
func IsLeftOut(sc sluice.StepContext) bool {
	return canBeLeftOut(sc, sc.Step) && slices.ContainsFunc(steps(sc), func(s sluice.PlannedStep) bool {
		return sc.Results[s.ID].First
	})
}

// LeavesOut reports whether a first deployment to the target would leave a step out.
func LeavesOut(sc sluice.StepContext) bool {
	return slices.ContainsFunc(steps(sc), func(s sluice.PlannedStep) bool { return canBeLeftOut(sc, s) })
}

// canBeLeftOut is always false in a rehearsal: its purpose is to go through the gates.
func canBeLeftOut(sc sluice.StepContext, s sluice.PlannedStep) bool {
	ofStrategy := s.Phase == sluice.PhaseCanary || s.Phase == sluice.PhaseBlueGreen
	return ofStrategy && s.Kind.OnlyDelays() && sc.Plan != nil && sc.Plan.Rehearsal == nil
}
