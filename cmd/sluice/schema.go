package main

import (
	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice/internal/deployfile"
)

func newSchema(a *app) *cobra.Command {
	included := false
	cmd := &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of deploy files",
		Long: "Schema prints the JSON Schema (draft 2020-12) of deploy files, by which editors complete and check them. It accepts what\n" +
			"validate accepts; names, durations and everything else that lies in the meaning is checked by validate alone.",
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
	cmd.Flags().BoolVar(&included, "included", false, "of the files that include: names")
	return cmd
}
