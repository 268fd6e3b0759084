package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/present"
	"github.com/sluice-cd/sluice/internal/service"
)

func newDataShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "show " + eitherWord, Short: "Show what a checkpoint holds, or how a branch is reached",
		Example: "  sluice data show 1a21e29cca7-78bdfc8a-production-before-0",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.eitherOf(cmd.Context(), args[0],
				func(c sluice.Checkpoint) error {
					if a.json() {
						return present.JSON(a.out, "Checkpoint", present.CheckpointOf(c))
					}
					return present.Checkpoint(a.out, c)
				},
				func(t service.Temporary) error { return a.showBranch(cmd.Context(), t) })
		},
	}
}

// checkpoint returns the checkpoint that arg is the beginning of.
func (a *app) checkpoint(ctx context.Context, arg string) (c sluice.Checkpoint, err error) {
	err = a.reading(ctx, func(store sluice.Store) error {
		list, err := service.Checkpoints(ctx, store, "")
		if err != nil {
			return err
		}
		c, err = service.FindCheckpoint(list, arg)
		return err
	})
	return c, err
}
