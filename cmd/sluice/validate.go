package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/present"
	"github.com/sluice-cd/sluice/internal/service"
)

// The formats of other tools for findings.
const (
	outputSARIF  = "sarif"
	outputGitHub = "github"
)

func newValidate(a *app) *cobra.Command {
	s := &service.Source{}
	noManifests := false
	cmd := &cobra.Command{
		Use: "validate", Short: "Report everything that is wrong with a deploy file",
		Long: "Validate reads a deploy file and its manifests and reports everything that is wrong, each finding with\n" +
			"its place and a correction. It changes nothing, and without --fetch it uses no network. The exit status\n" +
			"is 0 or 2. With --output sarif or github it writes the findings for code scanning, or as annotations of\n" +
			"a GitHub workflow.",
		Example: "  sluice validate -f deploy.yaml\n  sluice validate -f deploy.yaml --strict --output github\n" +
			"  sluice validate -f deploy.yaml --no-manifests --output json",
		Annotations: map[string]string{moreOutputs: outputSARIF + " " + outputGitHub},
		RunE:        func(cmd *cobra.Command, _ []string) error { return a.validate(cmd.Context(), *s, !noManifests) },
	}
	sourceFlags(cmd, s)
	cmd.Flags().BoolVar(&noManifests, "no-manifests", false, "check only the deploy file")
	cmd.Flags().BoolVar(&s.Strict, "strict", false, "treat warnings as errors")
	return cmd
}

type validateOutput struct {
	File        string             `json:"file"`
	Valid       bool               `json:"valid"`
	Diagnostics sluice.Diagnostics `json:"diagnostics"`
}

func (a *app) validate(ctx context.Context, s service.Source, manifests bool) error {
	ds, err := a.findings(ctx, s, manifests)
	if err != nil {
		return err
	}
	if err := a.writeFindings(s.File, ds); err != nil {
		return err
	}
	if ds.HasErrors() {
		return ds
	}
	present.Findings(a.err, ds)
	return nil
}

// findings returns what is wrong with the source, here or as the server sees it.
func (a *app) findings(ctx context.Context, s service.Source, manifests bool) (sluice.Diagnostics, error) {
	if a.remote != nil {
		b, err := service.Pack(ctx, s, service.Surroundings{Secret: a.redactor.Learn}, manifests)
		if ds, ok := errors.AsType[sluice.Diagnostics](err); ok {
			return ds, nil
		}
		if err != nil {
			return nil, err
		}
		ds, err := a.remote.Validate(ctx, b, manifests)
		return here(s, ds), err
	}
	in := service.Surroundings{Secret: a.redactor.Learn}
	// Accounts on this machine support less. Commands that need the configuration report what is wrong with it.
	if c, err := a.configuration(s.File); err == nil {
		in.Local = service.LocalAccounts(c)
	}
	return service.Validate(ctx, s, in, manifests)
}

// writeFindings writes the result in the requested format. In text, the result is only that the file is valid: findings
// go to stderr.
func (a *app) writeFindings(file string, ds sluice.Diagnostics) error {
	switch a.output {
	case outputJSON:
		out := validateOutput{File: file, Valid: !ds.HasErrors(), Diagnostics: ds}
		if out.Diagnostics == nil {
			out.Diagnostics = sluice.Diagnostics{}
		}
		return present.JSON(a.out, "Validation", out)
	case outputSARIF:
		return present.SARIF(a.out, ds)
	case outputGitHub:
		return present.GitHub(a.out, ds)
	}
	if ds.HasErrors() {
		return nil
	}
	err := present.Printf(a.out, "%s is valid\n", file)
	return err
}
