package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/present"
	"github.com/sluice-cd/sluice/internal/service"
)

func newDataDelete(a *app) *cobra.Command {
	yes := false
	cmd := &cobra.Command{
		Use: "delete CHECKPOINT", Short: "Delete a checkpoint and its copy of the data",
		Long: "Delete removes the copy, from the repository or from the storage of the claims, and the checkpoint from\n" +
			"the list. Nothing brings it back. A checkpoint that a running deployment needs is not deleted.",
		Example: "  sluice data delete 1a21e29cca7-78bdfc8a-production-before-0\n" +
			"  sluice data delete 1a21e29cca7-78bdfc8a-production-before-0 --yes",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.dataDelete(cmd.Context(), args[0], yes) },
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func (a *app) dataDelete(ctx context.Context, arg string, yes bool) (err error) {
	c, err := a.checkpoint(ctx, arg)
	if err != nil {
		return err
	}
	a.note("%s of %s as it was at %s: %s", c.Dataset, c.Target, present.Moment(c.TakenAt),
		present.Quantity(c.Copy.Bytes, "bytes"))
	if err := a.confirm(ctx, "Delete it for good?", yes); err != nil {
		return err
	}
	w, err := a.wiring()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	at, err := w.Place(ctx, c)
	if err != nil {
		return err
	}
	err = a.dir.Change(ctx, func(store sluice.Store) error {
		return service.DeleteCheckpoint(ctx, store, w.Movers(), at, c)
	})
	if err != nil {
		return err
	}
	if a.json() {
		return present.JSON(a.out, map[string]any{"checkpoint": c.ID, "deleted": true})
	}
	err = present.Printf(a.out, "%s is deleted\n", c.ID)
	return err
}
