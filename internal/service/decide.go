package service

import (
	"cmp"
	"context"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

// A Decision is what a person decides about a waiting step, or that paused targets go on.
type Decision struct {
	Deployment string   // an id or its beginning; "": the only one with such a step
	Step       string   // "": the only one that waits
	Target     string   // without Step: only its steps count; "": those of all targets
	Kinds      []string // the kinds of signals for it; the first one that a step accepts is sent
	Continue   bool     // first continue what a person paused, without a decision about its steps
	By         sluice.Actor
	Reason     string
}

// Decide returns the signal that tells a deployment about the decision, and changes nothing. NotFound: no step waits
// for a person; Invalid: several do. If the step was named, only the engine knows whether it waits.
func Decide(ctx context.Context, store sluice.Store, d Decision) (sluice.DeploymentID, sluice.Signal, error) {
	running, err := d.deployments(ctx, store)
	if err != nil {
		return "", sluice.Signal{}, err
	}
	var found []choice
	var paused sluice.DeploymentID
	for _, r := range running {
		state, err := engine.Fold(r.ID, store.Read(ctx, r.ID, 0))
		if err != nil {
			return "", sluice.Signal{}, err
		}
		found = append(found, d.choices(state)...)
		if isPaused(state, d.Target) {
			paused = r.ID
		}
	}
	if needed := d.needing(found); len(needed) > 0 {
		found = needed
	}
	if len(found) != 1 {
		return "", sluice.Signal{}, undecided(found, paused)
	}
	return found[0].deployment, found[0].signal, nil
}

// deployments returns those that the decision may be about.
func (d Decision) deployments(ctx context.Context, store sluice.Store) ([]sluice.Deployment, error) {
	list, err := store.Deployments(ctx, "")
	if err != nil {
		return nil, err
	}
	if d.Deployment != "" {
		named, err := Find(list, d.Deployment, IsRunning)
		return []sluice.Deployment{named}, err
	}
	return slices.DeleteFunc(list, func(d sluice.Deployment) bool { return !IsRunning(d) }), nil
}

// A choice is a signal that the decision may be.
type choice struct {
	deployment sluice.DeploymentID
	signal     sluice.Signal
}

// choices returns what can be decided in the deployment.
func (d Decision) choices(s *engine.State) (list []choice) {
	if d.Continue && isPaused(s, d.Target) {
		sig := sluice.Signal{Kind: sluice.SignalContinue, Target: d.Target, By: d.By, Reason: d.Reason}
		return []choice{{s.ID, sig}}
	}
	for _, run := range d.steps(s) {
		sig := sluice.Signal{Kind: d.kind(run), Step: run.Plan.ID, By: d.By, Reason: d.Reason}
		list = append(list, choice{s.ID, sig})
	}
	return list
}

// isPaused reports whether the target is paused, or any if its name is "".
func isPaused(s *engine.State, target string) bool {
	return slices.ContainsFunc(s.Plan.Targets, func(t sluice.PlannedTarget) bool {
		return (target == "" || target == t.Name) && s.Paused(t.Name) != nil
	})
}

// needing returns what only a person ends. Other steps end by themselves, and so come second.
func (d Decision) needing(found []choice) []choice {
	return slices.DeleteFunc(slices.Clone(found), func(c choice) bool {
		return c.signal.Kind != d.Kinds[0] && c.signal.Kind != sluice.SignalContinue
	})
}

// undecided says why there is not one choice. paused is a deployment that is paused, "" if none is.
func undecided(found []choice, paused sluice.DeploymentID) error {
	if len(found) == 0 && paused != "" {
		return sluice.Errorf(sluice.NotFound, "no step waits for a person, but deployment %s is paused", paused).
			WithHint("continue with: sluice promote %s", paused)
	}
	if len(found) == 0 {
		return sluice.Errorf(sluice.NotFound, "no step waits for a person").
			WithHint("see what the deployments wait for with: sluice status")
	}
	what, names := "steps wait for a person", []string(nil)
	for _, c := range found {
		if c.signal.Kind == sluice.SignalContinue {
			what = "steps and paused deployments wait for a person"
		}
		names = append(names, cmp.Or(string(c.signal.Step), string(c.deployment)))
	}
	return sluice.Errorf(sluice.Invalid, "%d %s", len(found), what).
		WithHint("name the deployment and one of the steps: %v", names)
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
