package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/present"
	"github.com/sluice-cd/sluice/internal/service"
)

// The forms in which other tools take findings.
const (
	outputSARIF  = "sarif"
	outputGitHub = "github"
)

func newValidate(a *app) *cobra.Command {
	s := &source{}
	noManifests := false
	cmd := &cobra.Command{
		Use: "validate", Short: "Say everything that is wrong with a deploy file",
		Long: "Validate reads a deploy file and the manifests it names and reports everything that is wrong with them, each finding with\n" +
			"its place and what to write instead. Without --fetch it contacts nobody, and it changes nothing. The exit status is 0 or 2.\n" +
			"With --output sarif or github the findings are written for code scanning, or as annotations of a GitHub workflow.",
		Example:     "  sluice validate -f deploy.yaml\n  sluice validate -f deploy.yaml --strict --output github\n  sluice validate -f deploy.yaml --no-manifests --output json",
		Annotations: map[string]string{moreOutputs: outputSARIF + " " + outputGitHub},
		RunE:        func(cmd *cobra.Command, _ []string) error { return a.validate(cmd.Context(), s, noManifests) },
	}
	s.flags(cmd)
	cmd.Flags().BoolVar(&noManifests, "no-manifests", false, "look at the deploy file only")
	cmd.Flags().BoolVar(&s.strict, "strict", false, "warnings are errors")
	return cmd
}

type validateOutput struct {
	File        string             `json:"file"`
	Valid       bool               `json:"valid"`
	Diagnostics sluice.Diagnostics `json:"diagnostics"`
}

func (a *app) validate(ctx context.Context, s *source, noManifests bool) error {
	// An account that is known to be this machine cannot do everything. What else is wrong with the configuration is
	// said by who needs it.
	if c, err := a.configuration(s.file); err == nil {
		s.local = service.LocalAccounts(c)
	}
	ds, err := s.validate(ctx, noManifests)
	if err != nil {
		return err
	}
	if err := a.writeFindings(s, ds); err != nil {
		return err
	}
	if ds.HasErrors() {
		return ds
	}
	present.Findings(a.err, ds)
	return nil
}

// writeFindings writes the result in the form that was asked for. In text, only that a file is valid is one:
// findings are for people and go where errors go.
func (a *app) writeFindings(s *source, ds sluice.Diagnostics) error {
	switch a.output {
	case outputJSON:
		out := validateOutput{File: s.file, Valid: !ds.HasErrors(), Diagnostics: ds}
		if out.Diagnostics == nil {
			out.Diagnostics = sluice.Diagnostics{}
		}
		return present.JSON(a.out, out)
	case outputSARIF:
		return present.SARIF(a.out, ds)
	case outputGitHub:
		return present.GitHub(a.out, ds)
	}
	if ds.HasErrors() {
		return nil
	}
	_, err := fmt.Fprintf(a.out, "%s is valid\n", s.file)
	return err
}

func (s *source) validate(ctx context.Context, noManifests bool) (sluice.Diagnostics, error) {
	if noManifests {
		_, ds, err := s.read()
		return ds, err
	}
	_, _, ds, err := s.compile(ctx, nil)
	return ds, err
}
