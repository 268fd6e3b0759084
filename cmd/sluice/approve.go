package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/present"
	"github.com/sluice-cd/sluice/internal/service"
)

// approvals are the signals that let a waiting step go on.
var approvals = []string{sluice.SignalApprove, sluice.SignalRollForward}

func newApprove(a *app) *cobra.Command {
	return a.decision("approve", "Approve a waiting step, or end a timed pause early", approvals)
}

func newReject(a *app) *cobra.Command {
	return a.decision("reject", "Reject a waiting step; its target is undone", []string{sluice.SignalReject})
}

func (a *app) decision(name, short string, kinds []string) *cobra.Command {
	reason, roles := "", []string(nil)
	cmd := &cobra.Command{
		Use: name + " [DEPLOYMENT] [STEP]", Short: short,
		Long: short + ". Deployment and step can be omitted if only one waits.\n" +
			"The beginning of an id is enough to name a deployment.",
		Example: fmt.Sprintf("  sluice %s\n  sluice %[1]s 6921a production/canary/2 --reason \"looked at the graphs\"", name),
		Args:    cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			d := service.Decision{Deployment: first(args), Kinds: kinds, By: actor(roles...), Reason: reason}
			if len(args) > 1 {
				d.Step = args[1]
			}
			return a.decide(cmd.Context(), d)
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why; it is recorded")
	cmd.Flags().StringSliceVar(&roles, "role", nil, "the role in which you decide; recorded")
	return cmd
}

func (a *app) decide(ctx context.Context, d service.Decision) error {
	var id sluice.DeploymentID
	var sig sluice.Signal
	err := a.reading(ctx, func(store sluice.Store) (err error) {
		id, sig, err = service.Decide(ctx, store, d)
		return err
	})
	if err != nil {
		return err
	}
	return a.tell(ctx, id, sig)
}

type sentOutput struct {
	Deployment sluice.DeploymentID `json:"deployment"`
	Signal     sluice.Signal       `json:"signal"`
	Running    bool                `json:"running"` // whether an engine acts on it at once
}

// tell sends a signal and says what happens.
func (a *app) tell(ctx context.Context, id sluice.DeploymentID, sig sluice.Signal) error {
	recorded, err := a.signal(ctx, id, sig)
	if err != nil {
		return err
	}
	if a.json() {
		return present.JSON(a.out, "SignalSent", sentOutput{id, sig, !recorded})
	}
	what := string(id)
	if about := cmp.Or(string(sig.Step), sig.Target); about != "" {
		what += " " + about
	}
	if recorded {
		present.Printf(a.out, "%s: %s recorded; the deployment is interrupted\n", what, sig.Kind)
		a.hint("resume with: sluice run --resume")
		return nil
	}
	err = present.Printf(a.out, "%s: %s\n", what, sig.Kind)
	return err
}
