package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/present"
	"github.com/sluice-cd/sluice/internal/service"
)

func newDataExtend(a *app) *cobra.Command {
	var by time.Duration
	forever := false
	cmd := &cobra.Command{
		Use: "extend " + eitherWord, Short: "Change how long a checkpoint or a branch is kept",
		Long: "Extend changes when a checkpoint or a branch expires. What has expired is deleted when a deployment starts\n" +
			"or ends, and by sluice data reap; a branch in a cluster is deleted at that time in any case. The deploy\n" +
			"file's keep still limits how many checkpoints of a step are kept.",
		Example: "  sluice data extend 1a21e29cca7-78bdfc8a-production-before-0 --by 72h\n" +
			"  sluice data extend 1a21e29cca7-78bdfc8a-production-before-0 --forever\n" +
			"  sluice data extend dev-anna --by 24h",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if forever == (by > 0) {
				return sluice.Errorf(sluice.Invalid, "say how long it is kept").
					WithHint("add --by with a time such as 72h, or --forever")
			}
			ctx := cmd.Context()
			return a.eitherOf(ctx, args[0],
				func(c sluice.Checkpoint) error { return a.dataExtend(ctx, c, by) },
				func(t service.Temporary) error { return a.branchExtend(ctx, t, by) })
		},
	}
	cmd.Flags().DurationVar(&by, "by", 0, "how long from now, such as 72h")
	cmd.Flags().BoolVar(&forever, "forever", false, "it never expires")
	return cmd
}

// dataExtend keeps the checkpoint for that long from now, 0 for good.
func (a *app) dataExtend(ctx context.Context, c sluice.Checkpoint, by time.Duration) error {
	now, until := time.Now(), time.Time{}
	if by > 0 {
		until = now.Add(by).UTC().Truncate(time.Second)
	}
	if a.remote != nil {
		kept, err := a.remote.KeepCheckpoint(ctx, c.ID, until)
		if err != nil {
			return err
		}
		return a.kept(kept)
	}
	err := a.dir.Change(ctx, func(store sluice.Store) (err error) {
		c, err = service.KeepCheckpoint(ctx, store, c, until, now)
		return err
	})
	if err != nil {
		return err
	}
	return a.kept(c)
}

func (a *app) extendBranch(ctx context.Context, t service.Temporary, by time.Duration) (b sluice.Branch, err error) {
	now := time.Now()
	until := now.Add(by).UTC().Truncate(time.Second)
	if a.remote != nil {
		return a.remote.ExtendBranch(ctx, *t.Branch, until)
	}
	err = a.dir.Change(ctx, func(store sluice.Store) (err error) {
		b, err = service.ExtendBranch(ctx, store, t, until, now)
		return err
	})
	return b, err
}

func (a *app) branchExtend(ctx context.Context, t service.Temporary, by time.Duration) error {
	if by == 0 {
		return sluice.Errorf(sluice.Invalid, "a branch expires").WithHint("add --by with a time such as 72h")
	}
	b, err := a.extendBranch(ctx, t, by)
	if err != nil {
		return err
	}
	if a.json() {
		return present.JSON(a.out, "Branch", service.ReachedBranch{Branch: b})
	}
	err = present.Printf(a.out, "%s expires at %s\n", b.Name, present.Moment(b.Expires))
	return err
}

func (a *app) kept(c sluice.Checkpoint) error {
	if a.json() {
		return present.JSON(a.out, "Checkpoint", present.CheckpointOf(c))
	}
	if c.Expires.IsZero() {
		err := present.Printf(a.out, "%s never expires\n", c.ID)
		return err
	}
	err := present.Printf(a.out, "%s expires at %s\n", c.ID, present.Moment(c.Expires))
	return err
}
