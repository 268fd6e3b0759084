package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/api"
	"github.com/sluice-cd/sluice/internal/bootstrap"
	"github.com/sluice-cd/sluice/internal/present"
	"github.com/sluice-cd/sluice/internal/secret"
)

// The output formats of every command.
const (
	outputText = "text"
	outputJSON = "json"
)

// An app holds the streams and flags that all commands share.
type app struct {
	in       *os.File
	stdout   *os.File
	stderr   *os.File
	out, err io.Writer // without secrets
	terminal bool      // in and out are a terminal
	redactor *secret.Redactor
	styles   present.Styles

	state  string
	config string
	server string
	remote *api.Client        // of the server; nil: commands work on the state directory
	dir    bootstrap.StateDir // at state
	output string

	follows atomic.Bool // a deployment that can be resumed, or an account: it stops only when all is in order
}

func newApp(in, out, err *os.File) *app {
	r := new(secret.Redactor)
	return &app{
		in: in, stdout: out, stderr: err, out: r.Output(out), err: r.Output(err), redactor: r,
		terminal: term.IsTerminal(int(in.Fd())) && term.IsTerminal(int(out.Fd())),
		styles:   present.NewStyles(out), output: outputText,
	}
}

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:     "sluice",
		Version: versionLine(bootstrap.Version()),
		Short:   "Deliver applications whose data matters",
		Long: "Sluice takes a release through the targets of a deploy file: it copies production's data to staging,\n" +
			"upgrades and verifies it there, takes a checkpoint, releases a canary to production while it watches\n" +
			"metrics, and restores everything if the release is bad.",
		Example:       "  sluice init manifests\n  sluice plan -f deploy.yaml\n  sluice run -f deploy.yaml",
		SilenceErrors: true, SilenceUsage: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return a.prepare(cmd) },
	}
	root.SetVersionTemplate("{{.Version}}")
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return sluice.Errorf(sluice.Invalid, "%w", err).WithHint("see: %s --help", cmd.CommandPath())
	})
	flags := root.PersistentFlags()
	dir := cmp.Or(os.Getenv("SLUICE_STATE"), bootstrap.StateName)
	flags.StringVar(&a.state, "state", dir, "state directory (environment: SLUICE_STATE)")
	flags.StringVar(&a.config, "config", "",
		"configuration (default: sluice.yaml beside the deploy file or in the working directory)")
	flags.StringVar(&a.server, "server", os.Getenv("SLUICE_SERVER"),
		"address of a sluice server to work on (environment: SLUICE_SERVER)")
	flags.StringVarP(&a.output, "output", "o", outputText, "text or json")
	root.AddCommand(
		only(hereOnly, newInit(a)),
		newRun(a), newValidate(a), newPlan(a), only(hereOnly, newTemplate(a)), only(hereOnly, newSchema(a)), newStatus(a),
		newWatch(a), newHistory(a), newLogs(a), newApprove(a), newReject(a), newPromote(a), newPause(a),
		newRetry(a), newRollback(a), newCancel(a), newData(a), only(hereOnly, newLocal(a)), newDoctor(a),
		newLogin(a), newLogout(a), newToken(a), newAudit(a),
		only(hereOnly, newServe(a)), only(hereOnly, newNotify(a)), only(hereOnly, newVersion(a)),
		only(hereOnly, newExitCodes()), only(hereOnly, newManual()), only(hereOnly, newBeside()),
	)
	refuseExtra(root)
	a.completions(root)
	_ = root.RegisterFlagCompletionFunc("output", // the flag exists
		func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
			return outputs(cmd), cobra.ShellCompDirectiveNoFileComp
		})
	return root
}

// refuseExtra makes wrong arguments an Invalid error, like all other wrong input.
func refuseExtra(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		refuseExtra(sub)
	}
	check := cmd.Args
	if check == nil && cmd.HasSubCommands() {
		check = cobra.ArbitraryArgs
		cmd.RunE = groupHelp
	}
	if check == nil {
		check = cobra.NoArgs
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return sluice.Errorf(sluice.Invalid, "%w", err).WithHint("see: %s --help", cmd.CommandPath())
		}
		return nil
	}
}

func groupHelp(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	e := sluice.Errorf(sluice.Invalid, "unknown command %q for %q", args[0], cmd.CommandPath())
	cmd.SuggestionsMinimumDistance = 2 // without it only the beginning of a name is suggested
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return e.WithHint("did you mean %s?", near[0])
	}
	return e.WithHint("see: %s --help", cmd.CommandPath())
}

// moreOutputs is the annotation of a command with output formats besides text and json.
const moreOutputs = "outputs"

// outputs returns the output formats of a command.
func outputs(cmd *cobra.Command) []string {
	return append([]string{outputText, outputJSON}, strings.Fields(cmd.Annotations[moreOutputs])...)
}

// prepare checks the flags that all commands share.
func (a *app) prepare(cmd *cobra.Command) (err error) {
	if a.dir, err = bootstrap.OpenState(a.state, a.redactor); err != nil {
		return err
	}
	if a.output == outputJSON || a.output == outputSARIF {
		a.out = a.redactor.JSONOutput(a.stdout)
	}
	known := outputs(cmd)
	if slices.Contains(known, a.output) {
		return a.connect(cmd)
	}
	return sluice.Errorf(sluice.Invalid, "unknown output format %q", a.output).
		WithHint("write --output %s", strings.Join(known, " or --output "))
}

func (a *app) json() bool { return a.output == outputJSON }

// note prints something that is not the result.
func (a *app) note(format string, args ...any) {
	present.Printf(a.err, "sluice: "+format+"\n", args...)
}

// confirm asks the user unless yes is true. Without a terminal it needs yes.
func (a *app) confirm(ctx context.Context, question string, yes bool) error {
	if yes {
		return nil
	}
	if !a.terminal {
		return sluice.Errorf(sluice.Invalid, "this has to be confirmed, but there is no terminal to ask on").
			WithHint("add --yes")
	}
	present.Printf(a.err, "%s [y/N] ", question)
	said := make(chan string, 1)
	go func() {
		var answer string
		_, _ = fmt.Fscanln(a.in, &answer) // no answer means no
		said <- answer
	}()
	select {
	case answer := <-said:
		if answer = strings.ToLower(answer); answer == "y" || answer == "yes" {
			return nil
		}
		return sluice.Errorf(sluice.Cancelled, "not confirmed; nothing was changed")
	case <-ctx.Done():
		present.Printf(a.err, "\n")
		return ctx.Err()
	}
}
