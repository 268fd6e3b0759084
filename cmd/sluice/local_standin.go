package main

import (
	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice/internal/local/standin"
)

func newLocalStandIn(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "stand-in", Short: "Stand for a container image (started by a rehearsal)", Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error { return standin.Run(cmd.Context(), a.out) },
	}
}
