package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice/internal/bootstrap"
	"github.com/sluice-cd/sluice/internal/present"
)

func newVersion(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Example: "  sluice version --output json",
		RunE: func(*cobra.Command, []string) error {
			v := bootstrap.Version()
			if a.json() {
				return present.JSON(a.out, "Version", v)
			}
			return present.Printf(a.out, "%s", versionLine(v))
		},
	}
}

func versionLine(v bootstrap.Build) string {
	revision := ""
	if v.Revision != "" {
		revision = fmt.Sprintf(" (%.12s)", v.Revision)
	}
	return fmt.Sprintf("sluice %s%s, %s, %s\n", v.Version, revision, v.Go, v.Platform)
}
