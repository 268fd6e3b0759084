package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice/internal/present"
	"github.com/sluice-cd/sluice/internal/service"
)

func sourceFlags(cmd *cobra.Command, s *service.Source) {
	f := cmd.Flags()
	f.StringVarP(&s.File, "file", "f", "", "deploy file")
	f.StringVar(&s.Root, "root", "",
		"directory that paths of manifests start from and cannot leave (default: that of the deploy file)")
	f.StringSliceVarP(&s.Targets, "target", "t", nil, "use only this target and ignore its dependsOn (may be repeated)")
	f.StringToStringVar(&s.Context, "add-context", nil, "key=value for templates; overrides the deploy file")
	f.BoolVar(&s.Fetch, "fetch", false, "also read manifests from https addresses")
	f.StringVarP(&s.Application, "application", "n", "", "application name; overrides the deploy file")
}

// compile returns the plan of a deploy file and prints its warnings. local reports whether an account is this machine.
func (a *app) compile(ctx context.Context, s service.Source, local func(string) bool) (service.Compiled, error) {
	dir, err := a.stateDir()
	if err != nil {
		return service.Compiled{}, err
	}
	key, err := dir.Key()
	if err != nil {
		return service.Compiled{}, err
	}
	in := service.Surroundings{Local: local, Sealer: key}
	if store, err := dir.Read(ctx); err == nil {
		defer store.Close()
		in.History = store
	}
	c, err := service.Compile(ctx, s, in)
	present.Findings(a.err, c.Warnings)
	return c, err
}
