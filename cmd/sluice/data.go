package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/present"
	"github.com/sluice-cd/sluice/internal/service"
)

func newData(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "data", Short: "List, show, verify, restore, branch, extend and delete checkpoints of data",
		Example: "  sluice data list\n  sluice data verify CHECKPOINT\n  sluice data restore CHECKPOINT --target staging\n" +
			"  sluice data branch CHECKPOINT --to local/dev-anna",
	}
	cmd.AddCommand(newDataList(a), newDataShow(a), newDataVerify(a), newDataRestore(a),
		newDataBranch(a), newDataBranches(a), newDataExtend(a), newDataDelete(a), newDataReap(a))
	return cmd
}

func newDataList(a *app) *cobra.Command {
	application := ""
	cmd := &cobra.Command{
		Use: "list", Short: "List the checkpoints",
		Example: "  sluice data list\n  sluice data list --application shop --output json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.reading(cmd.Context(), func(store sluice.Store) error {
				return a.dataList(cmd.Context(), store, application)
			})
		},
	}
	cmd.Flags().StringVarP(&application, "application", "n", "", "only checkpoints of this application")
	return cmd
}

func (a *app) dataList(ctx context.Context, store sluice.Store, application string) error {
	list, err := service.Checkpoints(ctx, store, application)
	if err != nil {
		return err
	}
	return a.list("CheckpointList", present.CheckpointsOf(list), "there are no checkpoints", present.Checkpoints(list))
}

func newDataVerify(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "verify CHECKPOINT", Short: "Prove that a checkpoint can be restored",
		Long: "Verify reads the whole copy back and compares every byte with its hash. A copy that stays in the storage\n" +
			"of the claims has no hashes: of it, verify only proves that its snapshots are there and ready.",
		Example: "  sluice data verify 1a21e29cca7-78bdfc8a-production-before-0",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.dataVerify(cmd.Context(), args[0]) },
	}
}

type dataVerifyOutput struct {
	Checkpoint sluice.CheckpointID `json:"checkpoint"`
	Bytes      int64               `json:"bytes"`
	Files      int64               `json:"files"`
	Proven     bool                `json:"proven"` // every byte was compared with its hash
}

func (a *app) dataVerify(ctx context.Context, arg string) (err error) {
	c, err := a.checkpoint(ctx, arg)
	if err != nil {
		return err
	}
	if err := a.verifyCheckpoint(ctx, c); err != nil {
		return err
	}
	if a.json() {
		return present.JSON(a.out, "Verified", dataVerifyOutput{c.ID, c.Copy.Bytes, c.Copy.Files, !c.Copy.InStorage()})
	}
	if c.Copy.InStorage() {
		return present.Printf(a.out, "%s: ready in the storage of the claims: %s; the content was not read\n", c.ID,
			present.Plural(len(c.Copy.Snapshots), "snapshot"))
	}
	size, files := present.Quantity(c.Copy.Bytes, "bytes"), present.Plural(int(c.Copy.Files), "file")
	err = present.Printf(a.out, "%s: all %s in %s are as they were copied\n", c.ID, size, files)
	return err
}

func (a *app) verifyCheckpoint(ctx context.Context, c sluice.Checkpoint) (err error) {
	if a.remote != nil {
		_, err := a.remote.VerifyCheckpoint(ctx, c.ID, a.work())
		return err
	}
	w, err := a.wiring()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	return w.VerifyCheckpoint(ctx, c, a.meter())
}

// meter shows the progress of a piece of work on a terminal.
func (a *app) meter() func(sluice.Amount) {
	if !a.terminal || a.json() {
		return func(sluice.Amount) {}
	}
	return func(n sluice.Amount) { present.Printf(a.err, "\r\033[K%s", present.Amount(n)) }
}
