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
		Use: "delete " + eitherWord, Short: "Delete a checkpoint and its copy of the data, or a branch",
		Long: "Delete removes the copy, from the repository or from the storage of the claims, and the checkpoint from\n" +
			"the list. Nothing brings it back. A checkpoint that a running deployment needs is not deleted.\n\n" +
			"Of a branch it deletes the namespace with everything in it. The checkpoint stays.",
		Example: "  sluice data delete 1a21e29cca7-78bdfc8a-production-before-0\n" +
			"  sluice data delete dev-anna --yes",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			return a.eitherOf(ctx, args[0],
				func(c sluice.Checkpoint) error { return a.dataDelete(ctx, c, yes) },
				func(t service.Temporary) error { return a.branchDelete(ctx, t, yes) })
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

type deletedOutput struct {
	Checkpoint sluice.CheckpointID `json:"checkpoint,omitempty"`
	Branch     string              `json:"branch,omitempty"`
}

func (a *app) dataDelete(ctx context.Context, c sluice.Checkpoint, yes bool) (err error) {
	a.note("%s of %s as it was at %s: %s", c.Dataset, c.Target, present.Moment(c.TakenAt),
		present.Quantity(c.Copy.Bytes, "bytes"))
	if err := a.confirm(ctx, "Delete it for good?", yes); err != nil {
		return err
	}
	if err := a.deleteCheckpoint(ctx, c); err != nil {
		return err
	}
	if a.json() {
		return present.JSON(a.out, "Deleted", deletedOutput{Checkpoint: c.ID})
	}
	err = present.Printf(a.out, "%s is deleted\n", c.ID)
	return err
}

// deleteCheckpoint deletes the copy and then the entry.
func (a *app) deleteCheckpoint(ctx context.Context, c sluice.Checkpoint) (err error) {
	if a.remote != nil {
		return a.remote.DeleteCheckpoint(ctx, c.ID)
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
	return a.dir.Change(ctx, func(store sluice.Store) error {
		return service.DeleteCheckpoint(ctx, store, w.Movers(), at, c)
	})
}

func (a *app) deleteBranch(ctx context.Context, t service.Temporary) (err error) {
	if a.remote != nil {
		return a.remote.DeleteBranch(ctx, *t.Branch)
	}
	w, err := a.wiring()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	return a.dir.Change(ctx, func(store sluice.Store) error { return service.DeleteBranch(ctx, store, w.Movers(), t) })
}

func (a *app) branchDelete(ctx context.Context, t service.Temporary, yes bool) (err error) {
	b := *t.Branch
	a.note("branch %s of %s in %s/%s, made by %s at %s", b.Name, b.Dataset, b.Account, b.Namespace, b.Owner,
		present.Moment(b.MadeAt))
	if err := a.confirm(ctx, "Delete it with everything in its namespace?", yes); err != nil {
		return err
	}
	if err := a.deleteBranch(ctx, t); err != nil {
		return err
	}
	if a.json() {
		return present.JSON(a.out, "Deleted", deletedOutput{Branch: b.Name})
	}
	err = present.Printf(a.out, "%s is deleted\n", b.Name)
	return err
}
