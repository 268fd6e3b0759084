package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/present"
	"github.com/sluice-cd/sluice/internal/service"
)

func newHistory(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "history [APPLICATION]", Short: "Show what each target runs and ran before",
		Long: "History lists the releases of each target, newest first: the deployment that brought it, the images, and\n" +
			"the checkpoints taken before it. sluice rollback goes back along this list. Releases that were undone are\n" +
			"not in it; sluice status lists every deployment.",
		Example: "  sluice history\n  sluice history shop --output json",
		Args:    cobra.MaximumNArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.history(cmd.Context(), first(args)) },
	}
}

func (a *app) history(ctx context.Context, application string) error {
	return a.reading(ctx, func(store sluice.Store) error {
		list, err := service.History(ctx, store, application)
		if err != nil {
			return err
		}
		outputs := present.PastsOf(list)
		return a.list("HistoryList", outputs, "no target runs anything that was deployed from here", present.Pasts(outputs))
	})
}
