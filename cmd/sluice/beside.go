package main

import (
	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice/internal/bootstrap"
)

func newBeside() *cobra.Command {
	return &cobra.Command{
		Use:    "beside",
		Short:  "Work beside the data of a cluster",
		Long:   "Sluice starts this command in its own Jobs, and calls it. People never need it.",
		Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return bootstrap.ServeBeside(cmd.Context())
		},
	}
}
