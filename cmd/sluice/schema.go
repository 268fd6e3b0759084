package main

import (
	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice/internal/deployfile"
)

func newSchema(a *app) *cobra.Command {
	included := false
	cmd := &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of deploy files",
		Long: "Schema prints the JSON Schema (draft 2020-12) of deploy files, with which editors complete and check\n" +
			"them. It accepts everything that validate accepts. Only validate checks names, durations and other\n" +
			"meanings.",
		Example: "  sluice schema > deploy-file.json\n  sluice schema --included > included-file.json",
		RunE: func(*cobra.Command, []string) error {
			schema := deployfile.Schema()
			if included {
				schema = deployfile.IncludedSchema()
			}
			_, err := a.out.Write(schema)
			return err
		},
	}
	cmd.Flags().BoolVar(&included, "included", false, "print the schema of included files instead")
	return cmd
}
