package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice/internal/bootstrap"
	"github.com/sluice-cd/sluice/internal/present"
)

func newVersion(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print version, commit, date and Go version", Example: "  sluice version --output json",
		RunE: func(*cobra.Command, []string) error {
			b := bootstrap.Version()
			if a.json() {
				return present.JSON(a.out, "Version", b)
			}
			return present.Printf(a.out, "%s", versionLine(b))
		},
	}
}

// versionLine leaves out what the build does not know.
func versionLine(b bootstrap.Build) string {
	parts := []string{"sluice " + b.Version}
	if b.Commit != "" {
		commit := fmt.Sprintf("commit %.12s", b.Commit)
		if b.Modified {
			commit += " with changes"
		}
		parts = append(parts, commit)
	}
	if b.Date != "" {
		parts = append(parts, b.Date)
	}
	return strings.Join(append(parts, b.Go, b.Platform), ", ") + "\n"
}
