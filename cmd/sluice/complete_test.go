package main

import (
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A shell offers no files where a command wants something else: every argument and every value has a completion.
func TestEverythingIsCompleted(t *testing.T) {
	root := newRoot(newApp(os.Stdin, os.Stdout, os.Stderr))
	visit(root, func(cmd *cobra.Command) {
		if !cmd.HasSubCommands() && cmd.ValidArgsFunction == nil {
			t.Errorf("%s does not complete its arguments", cmd.CommandPath())
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if _, ok := cmd.GetFlagCompletionFunc(f.Name); !ok && f.NoOptDefVal == "" {
				t.Errorf("%s does not complete --%s", cmd.CommandPath(), f.Name)
			}
		})
	})
}

// The names of things in the usage of a command are those that the shell knows how to complete.
func TestEveryWordOfAUsageIsKnown(t *testing.T) {
	known := map[string]bool{
		"DEPLOYMENT": true, "APPLICATION": true, "CHECKPOINT": true, eitherWord: true, "STEP": true,
		"NAMESPACE": true, "SERVICE": true, "PORT": true, "SERVER": true, "NAME": true, // free text
		"TOKEN": true, "RECEIVER": true,
		"PATH...": true, "|": true, "-": true, "DIRECTORY": true, // files, which shells know
	}
	visit(newRoot(newApp(os.Stdin, os.Stdout, os.Stderr)), func(cmd *cobra.Command) {
		for _, word := range strings.Fields(cmd.Use)[1:] {
			if word = strings.Trim(word, "[]"); !known[word] && !strings.HasPrefix(word, "{") {
				t.Errorf("%s: nothing completes %s", cmd.CommandPath(), word)
			}
		}
	})
}

func visit(cmd *cobra.Command, do func(*cobra.Command)) {
	do(cmd)
	for _, sub := range cmd.Commands() {
		visit(sub, do)
	}
}
