package main

import (
	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
)

func newCancel(a *app) *cobra.Command {
	reason := ""
	cmd := &cobra.Command{
		Use: "cancel [DEPLOYMENT]", Aliases: []string{"abort"}, Short: "Stop a deployment and undo what it has not finished",
		Long: "Cancel undoes all targets that have not finished and ends the deployment. What it created is deleted,\n" +
			"claims included; what it changed is put back. The data steps of onRollback do not run. To run them as\n" +
			"well, type sluice rollback.",
		Example: "  sluice cancel\n  sluice cancel 6921a --reason \"wrong branch\"",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			state, err := a.findRunning(cmd.Context(), first(args))
			if err != nil {
				return err
			}
			return a.tell(cmd.Context(), state.ID, sluice.Signal{Kind: sluice.SignalCancel, By: actor(), Reason: reason})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why; it is recorded")
	return cmd
}

func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}
