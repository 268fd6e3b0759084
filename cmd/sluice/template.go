package main

import (
	"embed"
	"errors"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
)

//go:embed templates/*.yaml
var templates embed.FS

func newTemplate(a *app) *cobra.Command {
	file := ""
	cmd := &cobra.Command{
		Use: "template {canary|bluegreen|stateful}", Short: "Write a commented deploy file to start from",
		Long: "Template prints a commented deploy file: canary goes through weights with pauses and an approval,\n" +
			"bluegreen switches all traffic at once after a check of the new version, stateful includes a database.",
		Example:   "  sluice template canary > deploy.yaml\n  sluice template stateful --file deploy.yaml",
		ValidArgs: []string{"canary", "bluegreen", "stateful"},
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		RunE:      func(_ *cobra.Command, args []string) error { return a.template(args[0], file) },
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "write to this file, which must not exist yet")
	return cmd
}

func (a *app) template(name, file string) error {
	text, err := templates.ReadFile("templates/" + name + ".yaml")
	if err != nil {
		return err
	}
	if file == "" {
		_, err := a.out.Write(text)
		return err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return sluice.Errorf(sluice.Conflict, "%s already exists", file).
			WithHint("name another file, or delete this one first")
	}
	if err != nil {
		return sluice.Errorf(sluice.Invalid, "the file cannot be written: %w", err)
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	a.note("wrote %s; continue with: sluice validate -f %s", file, file)
	return nil
}
