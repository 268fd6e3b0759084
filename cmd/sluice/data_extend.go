package main

import (
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
		Use: "extend CHECKPOINT", Short: "Change how long a checkpoint is kept",
		Long: "Extend changes when a checkpoint expires. A checkpoint that has expired is deleted when its step makes the\n" +
			"next one. The deploy file's keep still limits how many checkpoints of a step are kept.",
		Example: "  sluice data extend 1a21e29cca7-78bdfc8a-production-before-0 --by 72h\n" +
			"  sluice data extend 1a21e29cca7-78bdfc8a-production-before-0 --forever",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if forever == (by > 0) {
				return sluice.Errorf(sluice.Invalid, "say how long the checkpoint is kept").
					WithHint("add --by with a time such as 72h, or --forever")
			}
			c, err := a.checkpoint(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			now, until := time.Now(), time.Time{}
			if by > 0 {
				until = now.Add(by).UTC().Truncate(time.Second)
			}
			err = a.dir.Change(cmd.Context(), func(store sluice.Store) error {
				c, err = service.KeepCheckpoint(cmd.Context(), store, c, until, now)
				return err
			})
			if err != nil {
				return err
			}
			return a.kept(c)
		},
	}
	cmd.Flags().DurationVar(&by, "by", 0, "how long from now, such as 72h")
	cmd.Flags().BoolVar(&forever, "forever", false, "it never expires")
	return cmd
}

func (a *app) kept(c sluice.Checkpoint) error {
	if a.json() {
		return present.JSON(a.out, c)
	}
	if c.Expires.IsZero() {
		err := present.Printf(a.out, "%s never expires\n", c.ID)
		return err
	}
	err := present.Printf(a.out, "%s expires at %s\n", c.ID, present.Moment(c.Expires))
	return err
}
