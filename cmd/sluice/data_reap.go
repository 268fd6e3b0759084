package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/present"
	"github.com/sluice-cd/sluice/internal/service"
)

func newDataReap(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "reap", Short: "Delete checkpoints and branches that have expired",
		Long: "Reap deletes checkpoints, branches and left-over copies whose time is over. A checkpoint stays while a\n" +
			"deployment that has not ended may need it. sluice run does the same when a deployment starts and ends. It\n" +
			"asks nothing, so it can be run by cron.",
		Example: "  sluice data reap\n  sluice --state /srv/shop/.sluice data reap --output json",
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.dataReap(cmd.Context()) },
	}
}

func (a *app) dataReap(ctx context.Context) (err error) {
	if a.remote != nil {
		reaped, failed := a.remote.Reap(ctx)
		if reaped.Checkpoints == nil {
			return failed
		}
		return errors.Join(failed, a.showReaped(reaped))
	}
	w, err := a.wiring()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	var reaped service.Reaped
	failed := a.dir.Change(ctx, func(store sluice.Store) error {
		r, err := w.Reaper(ctx, store)
		if err != nil {
			return err
		}
		reaped, err = r.Reap(ctx)
		return err
	})
	return errors.Join(failed, a.showReaped(reaped))
}

func (a *app) showReaped(reaped service.Reaped) error {
	if a.json() {
		return present.JSON(a.out, "Reaped", reaped)
	}
	names := reaped.Names()
	for _, name := range names {
		if err := present.Printf(a.out, "%s had expired and is deleted\n", name); err != nil {
			return err
		}
	}
	if len(names) == 0 {
		err := present.Printf(a.out, "nothing has expired that can be deleted\n")
		return err
	}
	return nil
}
