package main

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/present"
	"github.com/sluice-cd/sluice/internal/service"
)

// completed says what the values of flags name. A flag with a value that is not here is free text.
var completed = map[string]string{
	"target": "TARGET", "step": "STEP", "data": "DATA", "application": "APPLICATION", "account": "ACCOUNT",
	"to": "PLACE", "image": "IMAGE", "webhook": "WEBHOOK", "metric": "METRIC", "job": "JOB",
	"server": "SERVER", "file": "FILE", "config": "FILE", "root": "DIRECTORY", "state": "DIRECTORY",
}

// completions makes shells complete the arguments and flags of the command and of its subcommands. The words of Use say
// what an argument names.
func (a *app) completions(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		a.completions(sub)
	}
	if words := strings.Fields(cmd.Use)[1:]; !cmd.HasSubCommands() {
		cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) >= len(words) {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return a.candidates(cmd, strings.Trim(words[len(args)], "[]"), args), cobra.ShellCompDirectiveNoFileComp
		}
	}
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.NoOptDefVal == "" && f.Name != "output" {
			_ = cmd.RegisterFlagCompletionFunc(f.Name, a.values(completed[f.Name])) // the flag exists
		}
	})
}

// values returns what completes the value of a flag that names such a thing.
func (a *app) values(word string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		switch word {
		case "FILE":
			return []string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt
		case "DIRECTORY":
			return nil, cobra.ShellCompDirectiveFilterDirs
		case "IMAGE", "METRIC", "PLACE": // more has to be typed
			return a.candidates(cmd, word, args), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		}
		return a.candidates(cmd, word, args), cobra.ShellCompDirectiveNoFileComp
	}
}

// candidates returns what a word of a command line may be, each with its description after a tab. Whatever cannot be
// read has none.
func (a *app) candidates(cmd *cobra.Command, word string, args []string) []string {
	if choices, ok := strings.CutPrefix(word, "{"); ok {
		return strings.Split(strings.TrimSuffix(choices, "}"), "|")
	}
	file := deployFile(cmd)
	if word == "TARGET" && file != "" {
		names, _ := service.Source{File: file}.TargetNames()
		return names
	}
	if a.prepare(cmd) != nil {
		return nil
	}
	switch word {
	case "ACCOUNT", "PLACE":
		return a.accountNames(word)
	case "RECEIVER":
		return a.receiverNames()
	case "TOKEN":
		return a.tokenNames(cmd.Context())
	case "IMAGE", "WEBHOOK", "METRIC", "JOB":
		compiled, err := service.Compile(cmd.Context(), service.Source{File: file}, service.Surroundings{})
		if err != nil {
			return nil
		}
		return planned(compiled.Plan, word)
	}
	var list []string
	_ = a.reading(cmd.Context(), func(store sluice.Store) (err error) {
		list, err = known(cmd.Context(), store, word, args)
		return err
	})
	return list
}

// deployFile returns the value of the command's flag --file, "" if it has none.
func deployFile(cmd *cobra.Command) string {
	if file := cmd.Flags().Lookup("file"); file != nil {
		return file.Value.String()
	}
	return ""
}

// accountNames returns the accounts of the configuration, as the beginning of ACCOUNT/NAMESPACE for a place.
func (a *app) accountNames(word string) []string {
	c, err := a.configuration("")
	if err != nil {
		return nil
	}
	names := slices.Sorted(maps.Keys(c.Accounts))
	for i := range names {
		if word == "PLACE" {
			names[i] += "/"
		}
	}
	return names
}

// receiverNames returns the receivers of notifications in the configuration, with their kinds.
func (a *app) receiverNames() (names []string) {
	c, err := a.configuration("")
	if err != nil {
		return nil
	}
	for _, to := range c.Server.Receivers {
		names = append(names, to.Name+"\t"+to.Kind())
	}
	return names
}

// tokenNames returns the tokens of the server.
func (a *app) tokenNames(ctx context.Context) (names []string) {
	if a.remote == nil {
		return nil
	}
	list, _ := a.remote.Tokens(ctx) // without an answer there is nothing to offer
	for _, t := range list {
		names = append(names, t.ID+"\t"+t.Name)
	}
	return names
}

// planned returns the parts of a plan that a flag may name, with the results that it may have.
func planned(p *sluice.Plan, word string) (list []string) {
	for _, s := range p.Steps {
		switch {
		case word == "IMAGE" && s.Apply != nil:
			for _, name := range service.ImageNames(s.Apply.Objects) {
				list = append(list, name+"=")
			}
		case word == "WEBHOOK" && s.RunWebhook != nil:
			list = append(list, s.RunWebhook.Name+"="+sluice.RehearseFail, s.RunWebhook.Name+"="+sluice.RehearseTimeout)
		case word == "JOB" && s.RunJob != nil:
			list = append(list, s.RunJob.Name+"="+sluice.RehearseFail)
		case word == "METRIC" && s.Analysis != nil:
			for _, q := range s.Analysis.Resolved {
				list = append(list, q.Name+"=")
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// known returns the names in the store that a word may be.
func known(ctx context.Context, store sluice.Store, word string, args []string) ([]string, error) {
	var list []string
	switch word {
	case "DEPLOYMENT", "APPLICATION":
		deployments, err := store.Deployments(ctx, "")
		for _, d := range deployments {
			name := string(d.ID) + "\t" + d.Application + ", started " + present.Moment(d.StartedAt)
			if word == "APPLICATION" {
				name = d.Application
			}
			if !slices.Contains(list, name) {
				list = append(list, name)
			}
		}
		return list, err
	case "DATA":
		list, err := known(ctx, store, "CHECKPOINT", args)
		return append([]string{dataLeave, dataAsk}, list...), err
	case "CHECKPOINT", eitherWord: // to list branches, accounts would be asked
		checkpoints, err := store.Checkpoints(ctx, "")
		for _, c := range checkpoints {
			list = append(list, string(c.ID)+"\t"+c.Dataset+" of "+c.Target+", "+present.Moment(c.TakenAt))
		}
		return list, err
	case "STEP", "TARGET":
		id, err := logged(ctx, store, args[:min(len(args), 1)])
		if err != nil {
			return nil, err
		}
		state, err := engine.Fold(id, store.Read(ctx, id, 0))
		if err != nil {
			return nil, err
		}
		if word == "TARGET" {
			for _, t := range state.Plan.Targets {
				list = append(list, t.Name)
			}
			return list, nil
		}
		for _, s := range state.Plan.Steps {
			list = append(list, strings.TrimSuffix(string(s.ID)+"\t"+s.Name, "\t"))
		}
	}
	return list, nil
}
