package main

import (
	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
)

func newPause(a *app) *cobra.Command {
	sig := sluice.Signal{Kind: sluice.SignalPause}
	cmd := &cobra.Command{
		Use: "pause [DEPLOYMENT]", Short: "Stop a running deployment where it is, without undoing it",
		Long: "Pause lets no further step of the deployment begin, or of one target. A step that runs goes on to its\n" +
			"end, and the traffic stays as it is. If a step fails or a pod crashes, the target is undone as ever, and\n" +
			"sluice cancel and sluice rollback undo it too. sluice promote continues.",
		Example: "  sluice pause\n  sluice pause 6921a --target production --reason \"the graphs look odd\"\n" +
			"  sluice promote 6921a",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			state, err := a.findRunning(cmd.Context(), first(args))
			if err != nil {
				return err
			}
			sig.By = actor()
			if err := a.tell(cmd.Context(), state.ID, sig); err != nil || a.json() {
				return err
			}
			a.hint("continue with: sluice promote " + string(state.ID))
			return nil
		},
	}
	cmd.Flags().StringVarP(&sig.Target, "target", "t", "", "pause only this target")
	cmd.Flags().StringVar(&sig.Reason, "reason", "", "why; it is recorded")
	return cmd
}
