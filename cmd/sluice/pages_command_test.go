package main

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/shlex"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A commandLine is one call of a program, as a page shows it.
type commandLine struct {
	text string
	args []string // without the name of the program
}

// ends are the words of a shell that end a call.
var ends = []string{"|", ">", ">>", "<", "&&", "||", ";", "&"}

// commandLines returns the calls of the program, by whichever path it is called.
func commandLines(lines []string, program string) []commandLine {
	var found []commandLine
	for _, line := range lines {
		words, err := shlex.Split(strings.TrimPrefix(line, "$ "))
		if err != nil || len(words) == 0 || path.Base(words[0]) != program {
			continue
		}
		words = words[1:]
		if end := slices.IndexFunc(words, func(w string) bool { return slices.Contains(ends, w) }); end >= 0 {
			words = words[:end]
		}
		found = append(found, commandLine{line, words})
	}
	return found
}

// tree returns the commands as a user meets them.
func tree() *cobra.Command {
	root := newRoot(newApp(os.Stdin, os.Stdout, os.Stderr))
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	root.InitDefaultVersionFlag()
	return root
}

// eachCommand calls use for every command that help shows.
func eachCommand(cmd *cobra.Command, use func(*cobra.Command)) {
	for _, sub := range cmd.Commands() {
		if !sub.Hidden && sub.Name() != "help" && sub.Parent().Name() != "completion" {
			use(sub)
			eachCommand(sub, use)
		}
	}
}

// placeholder matches a word that stands for any other.
var placeholder = regexp.MustCompile(`^[A-Z]+$`)

// problem says what is wrong with the arguments of sluice, "" if nothing is. A mention may leave out what comes last;
// a line to type may not.
func problem(args []string, mention bool) string {
	cmd, rest, err := tree().Find(args)
	if err != nil {
		return err.Error()
	}
	cmd.InitDefaultHelpFlag()
	err = cmd.ParseFlags(rest)
	if _, bare := err.(*pflag.ValueRequiredError); err != nil && !(bare && mention) {
		return err.Error()
	}
	rest = cmd.Flags().Args()
	switch {
	case cmd.HasSubCommands() && len(rest) > 0 && !placeholder.MatchString(rest[0]):
		return "there is no such command"
	case mention && len(rest) < len(strings.Fields(cmd.Use))-1, cmd.HasSubCommands():
		return ""
	}
	if err := cmd.ValidateArgs(rest); err != nil {
		return err.Error()
	}
	return ""
}

// readerPages are the pages that say what this version does.
var readerPages = []string{"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/*.md", "examples/*.md"}

// Every call of sluice on a page names a command, flags and arguments that exist.
func TestPagesNameCommandsThatExist(t *testing.T) {
	for _, p := range pages(t, readerPages...) {
		for _, b := range p.blocks {
			for _, c := range commandLines(b.lines, "sluice") {
				if problem := problem(c.args, false); problem != "" {
					t.Errorf("%s: %s: %s", p.path, c.text, problem)
				}
			}
		}
		for _, c := range commandLines(p.mentions(), "sluice") {
			if problem := problem(c.args, true); problem != "" {
				t.Errorf("%s: %s: %s", p.path, c.text, problem)
			}
		}
	}
}

// So do the examples of the help.
func TestExamplesOfTheHelpExist(t *testing.T) {
	eachCommand(tree(), func(cmd *cobra.Command) {
		for _, c := range commandLines(strings.Split(cmd.Example, "\n"), "sluice") {
			if problem := problem(c.args, false); problem != "" {
				t.Errorf("%s --help: %s: %s", cmd.CommandPath(), c.text, problem)
			}
		}
	})
}

// Every flag that a page mentions without a command is a flag of some command, with or without a value as it is there.
func TestPagesNameFlagsThatExist(t *testing.T) {
	for _, p := range pages(t, readerPages...) {
		for _, span := range p.mentions() {
			if strings.HasPrefix(span, "--") && !someCommandTakes(span) {
				t.Errorf("%s: no command takes %s", p.path, span)
			}
		}
	}
}

func someCommandTakes(flags string) (taken bool) {
	words, err := shlex.Split(flags)
	if err != nil {
		return false
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(words[0], "--"), "=")
	eachCommand(tree(), func(cmd *cobra.Command) {
		if !taken && cmd.Flags().Lookup(name) != nil {
			taken = problem(append(strings.Fields(cmd.CommandPath())[1:], words...), true) == ""
		}
	})
	return taken || problem(words, true) == ""
}

// docs/cli.md names every command and every flag.
func TestTheCommandLineIsDocumented(t *testing.T) {
	cli := strings.Join(pages(t, "docs/cli.md")[0].code(), "\n") + "\n"
	flags := map[string]bool{}
	list := func(f *pflag.Flag) { flags[f.Name] = !f.Hidden && f.Name != "help" }
	root := tree()
	root.Flags().VisitAll(list)
	root.PersistentFlags().VisitAll(list)
	eachCommand(root, func(cmd *cobra.Command) {
		if name := cmd.CommandPath(); !regexp.MustCompile(`(?m)^` + name + `\b`).MatchString(cli) {
			t.Errorf("docs/cli.md does not name %s", name)
		}
		cmd.LocalFlags().VisitAll(list)
	})
	for name, shown := range flags {
		if shown && !regexp.MustCompile(`--`+name+`\b`).MatchString(cli) {
			t.Errorf("docs/cli.md does not name the flag --%s", name)
		}
	}
}

var (
	statusRow  = regexp.MustCompile(`(?m)^\| (\d+) \|`)
	statusHelp = regexp.MustCompile(`(?m)^ +(\d+)  `)
	statusText = regexp.MustCompile(`\b(?:status|exits with) (\d+)\b`)
)

// The help and docs/cli.md list the same exit statuses, and no page names another.
func TestExitStatusesAreDocumented(t *testing.T) {
	cli, err := os.ReadFile(filepath.Join(root, "docs/cli.md"))
	if err != nil {
		t.Fatal(err)
	}
	listed := firstGroups(statusHelp, exitCodesHelp)
	if diff := cmp.Diff(listed, firstGroups(statusRow, string(cli))); diff != "" {
		t.Errorf("sluice exit-codes (-) and docs/cli.md (+) differ:\n%s", diff)
	}
	for _, p := range pages(t, readerPages...) {
		for _, text := range p.prose {
			for _, n := range firstGroups(statusText, text.text) {
				if !slices.Contains(listed, n) {
					t.Errorf("%s: sluice has no exit status %s", p.path, n)
				}
			}
		}
	}
}

func firstGroups(r *regexp.Regexp, text string) []string {
	var found []string
	for _, m := range r.FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	return found
}
