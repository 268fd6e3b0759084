package main

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/present"
	"github.com/sluice-cd/sluice/internal/service"
)

// completed are the flags whose values a shell completes, by what they name.
var completed = map[string]string{
	"target": "TARGET", "step": "STEP", "data": "CHECKPOINT", "application": "APPLICATION",
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
	for flag, word := range completed {
		if cmd.LocalNonPersistentFlags().Lookup(flag) == nil {
			continue
		}
		_ = cmd.RegisterFlagCompletionFunc(flag, // the flag exists
			func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
				return a.candidates(cmd, word, args), cobra.ShellCompDirectiveNoFileComp
			})
	}
}

// candidates returns what a word of a command line may be, each with its description after a tab. Whatever cannot be
// read has none.
func (a *app) candidates(cmd *cobra.Command, word string, args []string) []string {
	if choices, ok := strings.CutPrefix(word, "{"); ok {
		return strings.Split(strings.TrimSuffix(choices, "}"), "|")
	}
	if word == "TARGET" {
		if file := cmd.Flags().Lookup("file"); file != nil && file.Value.String() != "" {
			names, _ := service.Source{File: file.Value.String()}.TargetNames()
			return names
		}
	}
	var list []string
	if a.prepare(cmd) != nil {
		return nil
	}
	_ = a.reading(cmd.Context(), func(store sluice.Store) (err error) {
		list, err = known(cmd.Context(), store, word, args)
		return err
	})
	return list
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
	case "CHECKPOINT":
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
			list = append(list, string(s.ID))
		}
	}
	return list, nil
}
