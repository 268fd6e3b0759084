package service

import (
	"context"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

// A Decision is what a person decides about a waiting step.
type Decision struct {
	Deployment string   // an id or its beginning; "": the only one with such a step
	Step       string   // "": the only one that waits
	Target     string   // without Step: only its steps count; "": those of all targets
	Kinds      []string // the kinds of signals for it; the first one that a step accepts is sent
	By         sluice.Actor
	Reason     string
}

// Decide returns the signal that tells a deployment about the decision, and changes nothing. NotFound: no step waits
// for a person; Invalid: several do. If the step was named, only the engine knows whether it waits.
func Decide(ctx context.Context, store sluice.Store, d Decision) (sluice.DeploymentID, sluice.Signal, error) {
	list, err := store.Deployments(ctx, "")
	if err != nil {
		return "", sluice.Signal{}, err
	}
	running := slices.DeleteFunc(slices.Clone(list), func(d sluice.Deployment) bool { return !IsRunning(d) })
	if d.Deployment != "" {
		named, err := Find(list, d.Deployment, IsRunning)
		if err != nil {
			return "", sluice.Signal{}, err
		}
		running = []sluice.Deployment{named}
	}
	var found []waitingStep
	for _, r := range running {
		state, err := engine.Fold(r.ID, store.Read(ctx, r.ID, 0))
		if err != nil {
			return "", sluice.Signal{}, err
		}
		for _, run := range d.steps(state) {
			found = append(found, waitingStep{r.ID, run})
		}
	}
	if needed := d.needing(found); len(needed) > 0 {
		found = needed
	}
	if len(found) == 1 {
		step := found[0]
		return step.deployment, sluice.Signal{Kind: d.kind(step.StepRun), Step: step.Plan.ID, By: d.By, Reason: d.Reason}, nil
	}
	return "", sluice.Signal{}, undecided(found)
}

// A waitingStep is a step that a decision may be about.
type waitingStep struct {
	deployment sluice.DeploymentID
	*engine.StepRun
}

// needing returns the steps that take the first of the kinds. The others end by themselves, and so come second.
func (d Decision) needing(found []waitingStep) []waitingStep {
	return slices.DeleteFunc(slices.Clone(found), func(s waitingStep) bool { return !takes(s.StepRun)(d.Kinds[0]) })
}

func undecided(found []waitingStep) error {
	if len(found) == 0 {
		return sluice.Errorf(sluice.NotFound, "no step waits for a person").
			WithHint("see what the deployments wait for with: sluice status")
	}
	var ids []sluice.StepID
	for _, r := range found {
		ids = append(ids, r.Plan.ID)
	}
	return sluice.Errorf(sluice.Invalid, "%d steps wait for a person", len(found)).
		WithHint("name the deployment and one of the steps: %v", ids)
}

// steps returns the named step, or those that take one of the kinds now.
func (d Decision) steps(s *engine.State) []*engine.StepRun {
	if d.Step != "" {
		if run := s.Steps[sluice.StepID(d.Step)]; run != nil {
			return []*engine.StepRun{run}
		}
		return nil
	}
	var runs []*engine.StepRun
	for _, id := range s.Started {
		run := s.Steps[id]
		if d.Target != "" && id.Target() != d.Target {
			continue
		}
		if run.Phase == engine.PhaseWaiting && slices.ContainsFunc(d.Kinds, takes(run)) {
			runs = append(runs, run)
		}
	}
	return runs
}

func (d Decision) kind(run *engine.StepRun) string {
	if i := slices.IndexFunc(d.Kinds, takes(run)); i >= 0 {
		return d.Kinds[i]
	}
	return d.Kinds[0]
}

func takes(run *engine.StepRun) func(kind string) bool {
	return func(kind string) bool {
		return run.Progress.Wait != nil && slices.Contains(run.Progress.Wait.Signals, kind)
	}
}
