package main

import (
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/bootstrap"
)

func newManual() *cobra.Command {
	return &cobra.Command{
		Use: "manual DIRECTORY", Short: "Write the man pages", Hidden: true,
		Long:    "Manual writes one man page for each command into an existing directory. Packages of Sluice hold them.",
		Example: "  sluice manual man",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return writeManual(cmd.Root(), bootstrap.Version(), args[0])
		},
	}
}

// writeManual writes the same pages for every build of a release: they have the date of its commit.
func writeManual(root *cobra.Command, b bootstrap.Build, dir string) error {
	root.DisableAutoGenTag = true // the header says what wrote the pages
	header := &doc.GenManHeader{Section: "1", Source: "sluice " + b.Version, Manual: "Sluice"}
	if date, err := time.Parse(time.RFC3339, b.Date); err == nil {
		header.Date = &date
	}
	if err := doc.GenManTree(root, header, dir); err != nil {
		return sluice.Errorf(sluice.NotFound, "write the man pages: %w", err).WithHint("name an existing directory")
	}
	return nil
}
