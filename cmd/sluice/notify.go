package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice/internal/present"
)

func newNotify(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "notify", Short: "Try out the receivers of notifications",
		Example: "  sluice notify test releases",
	}
	cmd.AddCommand(newNotifyTest(a))
	return cmd
}

func newNotifyTest(a *app) *cobra.Command {
	return only(hereOnly, &cobra.Command{
		Use: "test RECEIVER", Short: "Send one test to a receiver of sluice.yaml",
		Long: "Test sends one notification to the receiver below server.notifications of sluice.yaml, once, and says\n" +
			"what the receiver answered. The notification is about no deployment.",
		Example: "  sluice notify test releases",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.notifyTest(cmd.Context(), args[0]) },
	})
}

type notifyTestOutput struct {
	Receiver string `json:"receiver"`
	Type     string `json:"type"` // webhook, slack or email
}

func (a *app) notifyTest(ctx context.Context, name string) error {
	c, err := a.configuration("")
	if err != nil {
		return err
	}
	kind, err := a.dir.TestReceiver(ctx, c, name)
	if err != nil {
		return err
	}
	if a.json() {
		return present.JSON(a.out, "NotificationTest", notifyTestOutput{name, kind})
	}
	return present.Printf(a.out, "the %s receiver %s took the test\n", kind, name)
}
