package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/service"
)

type decideOptions struct {
	reason string
	roles  []string
}

func newApprove(a *app) *cobra.Command {
	return a.decision("approve", "Let a step go on that waits for a person", []string{sluice.SignalApprove, sluice.SignalRollForward})
}

func newReject(a *app) *cobra.Command {
	return a.decision("reject", "Refuse a step that waits for a person; its target is undone", []string{sluice.SignalReject})
}

func (a *app) decision(name, short string, kinds []string) *cobra.Command {
	o := &decideOptions{}
	cmd := &cobra.Command{
		Use: name + " [DEPLOYMENT] [STEP]", Short: short,
		Long:    short + ". Deployment and step may be left out where only one waits;\na deployment may be named by the beginning of its id.",
		Example: fmt.Sprintf("  sluice %s\n  sluice %s 6921a production/canary/2 --reason \"looked at the graphs\"", name, name),
		Args:    cobra.MaximumNArgs(2),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.decide(cmd.Context(), args, kinds, o) },
	}
	cmd.Flags().StringVar(&o.reason, "reason", "", "why; it is recorded")
	cmd.Flags().StringSliceVar(&o.roles, "role", nil, "the role in which you decide; it is recorded")
	return cmd
}

func (a *app) decide(ctx context.Context, args, kinds []string, o *decideOptions) error {
	state, step, err := a.findWaiting(ctx, args, kinds)
	if err != nil {
		return err
	}
	accepted := state.Steps[step].Progress.Wait
	kind := kinds[0]
	for _, k := range kinds {
		if accepted != nil && slices.Contains(accepted.Signals, k) {
			kind = k
			break
		}
	}
	return a.tell(ctx, state.ID, sluice.Signal{Kind: kind, Step: step, By: actor(o.roles...), Reason: o.reason})
}

// findWaiting returns the step that is meant: the named one, or the only one that waits for one of the kinds.
func (a *app) findWaiting(ctx context.Context, args, kinds []string) (*engine.State, sluice.StepID, error) {
	var found *engine.State
	var steps []sluice.StepID
	err := a.reading(ctx, func(store sluice.Store) error {
		list, err := candidates(ctx, store, args)
		if err != nil {
			return err
		}
		for _, d := range list {
			state, err := engine.Fold(d.ID, store.Read(ctx, d.ID, 0))
			if err != nil {
				return err
			}
			for _, step := range waitingFor(state, args, kinds) {
				found, steps = state, append(steps, step)
			}
		}
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	switch len(steps) {
	case 0:
		return nil, "", sluice.Errorf(sluice.NotFound, "no step waits for a person").WithHint("see what is waited for with: sluice status")
	case 1:
		return found, steps[0], nil
	}
	return nil, "", sluice.Errorf(sluice.Invalid, "%s wait for a person", plural(len(steps), "step")).WithHint("name the deployment and one of the steps: %v", steps)
}

func candidates(ctx context.Context, store sluice.Store, args []string) ([]sluice.Deployment, error) {
	list, err := store.Deployments(ctx, "")
	if err != nil {
		return nil, err
	}
	if len(args) > 0 {
		d, err := service.Find(list, args[0], service.IsRunning)
		return []sluice.Deployment{d}, err
	}
	return slices.DeleteFunc(list, func(d sluice.Deployment) bool { return !service.IsRunning(d) }), nil
}

// waitingFor lists the steps that take one of the kinds now. A step that is named is returned as it is: whether
// it waits is for the engine to say.
func waitingFor(s *engine.State, args, kinds []string) []sluice.StepID {
	if len(args) > 1 {
		if s.Steps[sluice.StepID(args[1])] == nil {
			return nil
		}
		return []sluice.StepID{sluice.StepID(args[1])}
	}
	var steps []sluice.StepID
	for _, id := range s.Started {
		run := s.Steps[id]
		takes := func(kind string) bool { return slices.Contains(run.Progress.Wait.Signals, kind) }
		if run.Phase == engine.PhaseWaiting && slices.ContainsFunc(kinds, takes) {
			steps = append(steps, id)
		}
	}
	return steps
}

type signalOutput struct {
	Deployment sluice.DeploymentID `json:"deployment"`
	Signal     sluice.Signal       `json:"signal"`
	Running    bool                `json:"running"` // whether an engine acts on it at once
}

// tell hands a signal over and says what comes of it.
func (a *app) tell(ctx context.Context, id sluice.DeploymentID, sig sluice.Signal) error {
	recorded, err := a.signal(ctx, id, sig)
	if err != nil {
		return err
	}
	if a.json() {
		return writeJSON(a.out, signalOutput{id, sig, !recorded})
	}
	what := string(id)
	if sig.Step != "" {
		what += " " + string(sig.Step)
	}
	if recorded {
		fmt.Fprintf(a.out, "%s: %s recorded; nobody carries this deployment out now\n", what, sig.Kind)
		a.hint("it is acted on with: sluice run --resume")
		return nil
	}
	_, err = fmt.Fprintf(a.out, "%s: %s\n", what, sig.Kind)
	return err
}
