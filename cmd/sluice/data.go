package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/mover"
	"github.com/sluice-cd/sluice/internal/service"
)

func newData(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "data", Short: "List, prove and put back checkpoints of data",
		Example: "  sluice data list\n  sluice data verify CHECKPOINT\n  sluice data restore CHECKPOINT --target staging",
	}
	cmd.AddCommand(newDataList(a), newDataVerify(a), newDataRestore(a))
	return cmd
}

func newDataList(a *app) *cobra.Command {
	application := ""
	cmd := &cobra.Command{
		Use: "list", Short: "List the checkpoints",
		Example: "  sluice data list\n  sluice data list --application shop --output json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.reading(cmd.Context(), func(store sluice.Store) error { return a.dataList(cmd.Context(), store, application) })
		},
	}
	cmd.Flags().StringVarP(&application, "application", "n", "", "only of this application")
	return cmd
}

func (a *app) dataList(ctx context.Context, store sluice.Store, application string) error {
	list, err := store.Checkpoints(ctx, application)
	if err != nil {
		return err
	}
	if a.json() {
		if list == nil {
			list = []sluice.Checkpoint{}
		}
		return writeJSON(a.out, list)
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(a.out, "there are no checkpoints")
		return err
	}
	rows := [][]string{{"CHECKPOINT", "APPLICATION", "DATASET", "TARGET", "TAKEN", "DOCUMENTS", "SIZE", "PAUSE"}}
	for _, c := range list {
		rows = append(rows, []string{
			string(c.ID), c.Application, c.Dataset, c.Target, moment(c.TakenAt),
			humanize.Comma(documents(c.Fingerprint)), quantity(c.Copy.Bytes, "bytes"), took(c.Pause),
		})
	}
	return table(a.out, rows)
}

func documents(f sluice.Fingerprint) int64 {
	n := int64(0)
	for _, c := range f.Collections {
		n += c.Count
	}
	return n
}

func newDataVerify(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "verify CHECKPOINT", Short: "Read a checkpoint back and prove every byte of it",
		Example: "  sluice data verify 6921a0c4-5d1f0a9b3e-production",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.dataVerify(cmd.Context(), args[0]) },
	}
}

type dataVerifyOutput struct {
	Checkpoint sluice.CheckpointID `json:"checkpoint"`
	Bytes      int64               `json:"bytes"`
	Files      int64               `json:"files"`
	Proven     bool                `json:"proven"`
}

func (a *app) dataVerify(ctx context.Context, arg string) (err error) {
	var c sluice.Checkpoint
	err = a.reading(ctx, func(store sluice.Store) error {
		list, err := store.Checkpoints(ctx, "")
		if err != nil {
			return err
		}
		c, err = service.FindCheckpoint(list, arg)
		return err
	})
	if err != nil {
		return err
	}
	w, err := a.wiring("")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close.run()) }()
	m, ok := w.movers()[c.Copy.Mover]
	if !ok {
		return sluice.Errorf(sluice.Unsupported, "checkpoint %s was copied by %q, which this version does not have", c.ID, c.Copy.Mover)
	}
	verify := sluice.Transfer{Kind: sluice.TransferVerify, ID: string(c.ID), Copy: c.Copy}
	if _, err := mover.Run(ctx, m, verify, a.meter()); err != nil {
		return err
	}
	if a.json() {
		return writeJSON(a.out, dataVerifyOutput{c.ID, c.Copy.Bytes, c.Copy.Files, true})
	}
	_, err = fmt.Fprintf(a.out, "%s: all of its %s in %s are as they were copied\n", c.ID, quantity(c.Copy.Bytes, "bytes"), plural(int(c.Copy.Files), "file"))
	return err
}

// meter shows on a terminal how far a piece of work is.
func (a *app) meter() func(sluice.Amount) {
	if !a.terminal || a.json() {
		return func(sluice.Amount) {}
	}
	return func(n sluice.Amount) { fmt.Fprintf(a.err, "\r\033[K%s", amount(n)) }
}

// wiring returns the adapters for a command that runs no deployment. The caller closes it.
func (a *app) wiring(file string) (*wiring, error) {
	c, err := a.configuration(file)
	if err != nil {
		return nil, err
	}
	dir, err := a.stateDir()
	if err != nil {
		return nil, err
	}
	key, err := dir.key()
	if err != nil {
		return nil, err
	}
	return &wiring{dir: dir, config: c, key: key, catalogue: noCatalogue{}, passive: true}, nil
}
