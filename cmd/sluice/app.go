package main

import (
	"context"
	"errors"
	"maps"
	"os/user"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/bootstrap"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/history"
	"github.com/sluice-cd/sluice/internal/present"
	"github.com/sluice-cd/sluice/internal/service"
)

// configuration reads the sluice.yaml of a deploy file, or without one that of the state directory.
func (a *app) configuration(file string) (*config.Config, error) {
	return a.dir.Configuration(a.config, file)
}

// open connects to the engine of the state directory. If hold is true, an engine of this process records new
// deployments but does not begin them.
func (a *app) open(ctx context.Context, c *config.Config, hold bool) (*bootstrap.Session, error) {
	s, err := bootstrap.Open(ctx, bootstrap.Instance{Dir: a.dir, Config: c, Log: a.err, Note: a.note, Hold: hold})
	a.follows.Store(a.follows.Load() || err == nil)
	return s, err
}

// wiring returns the adapters for a command that runs no deployment. The caller closes it.
func (a *app) wiring() (*bootstrap.Wiring, error) {
	c, err := a.configuration("")
	return bootstrap.NewWiring(a.dir, c), err
}

// list writes a list as JSON of that kind, or as a table below its header, or says that it is empty.
func (a *app) list(kind string, v any, empty string, rows [][]string) error {
	if a.json() {
		return present.JSON(a.out, kind, v)
	}
	if len(rows) == 1 {
		err := present.Printf(a.out, "%s\n", empty)
		return err
	}
	return present.Table(a.out, rows)
}

// actor is the user who runs this command.
func actor(roles ...string) sluice.Actor {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return sluice.Actor{Name: name, Roles: roles, Via: "cli"}
}

// findRunning returns the deployment that arg names, or the only one that runs, as it stands.
func (a *app) findRunning(ctx context.Context, arg string) (state *engine.State, err error) {
	err = a.reading(ctx, func(store sluice.Store) error {
		state, err = service.Running(ctx, store, arg)
		return err
	})
	return state, err
}

// reading hands out the store for reading and closes it afterwards.
func (a *app) reading(ctx context.Context, use func(sluice.Store) error) error {
	if a.remote != nil {
		return use(a.remote.Reader())
	}
	store, err := a.dir.Read(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	return use(store)
}

func sourceFlags(cmd *cobra.Command, s *service.Source) {
	f := cmd.Flags()
	f.StringVarP(&s.File, "file", "f", "", "deploy file")
	f.StringVar(&s.Root, "root", "",
		"directory that paths of manifests cannot leave (default: that of the deploy file)")
	f.StringSliceVarP(&s.Targets, "target", "t", nil, "use only this target and ignore its dependsOn (may be repeated)")
	s.Context, s.Images = map[string]string{}, map[string]string{}
	for _, name := range []string{"add-context", "set"} {
		f.Func(name, "`key=value` for templates; overrides the deploy file (may be repeated)", keyValues(s.Context))
	}
	f.Func("image", "`name=tag` or name=reference: deploy this image instead of that of the manifests (may be repeated)",
		imageTags(s.Images))
	f.BoolFunc("fetch", "also read manifests from https addresses", func(value string) error {
		on, err := strconv.ParseBool(value)
		if s.Fetch = nil; on {
			s.Fetch = bootstrap.Fetch
		}
		return err
	})
	f.StringVarP(&s.Application, "application", "n", "", "application name; overrides the deploy file")
}

// keyValues returns the parser of a flag such as key=value or key=value,other=value, which adds to the map.
func keyValues(into map[string]string) func(string) error {
	return func(text string) error {
		var m map[string]string
		f := pflag.NewFlagSet("", pflag.ContinueOnError)
		f.StringToStringVar(&m, "pairs", nil, "")
		err := f.Lookup("pairs").Value.Set(text)
		maps.Copy(into, m)
		return err
	}
}

// imageTags returns the parser of a flag such as name=tag or name=tag,other=tag.
func imageTags(into map[string]string) func(string) error {
	return func(text string) error {
		m := map[string]string{}
		err := keyValues(m)(text)
		for name, tag := range m {
			if name == "" || tag == "" {
				err = errNoTag
			}
		}
		if err != nil {
			return errNoTag
		}
		maps.Copy(into, m)
		return nil
	}
}

var errNoTag = errors.New("want name=tag, such as web=2.1, or name=sha256:…")

// takeOverFlag is for commands that change objects, or show what they would change.
func takeOverFlag(cmd *cobra.Command, managers *[]string) {
	cmd.Flags().StringSliceVar(managers, "take-over", nil,
		"take fields that these managers own, such as kubectl-set or argocd-controller (may be repeated)")
}

// replaceFlag is for commands that deploy, or say what deploying would do.
func replaceFlag(cmd *cobra.Command, s *service.Source) {
	cmd.Flags().StringVar((*string)(&s.Replace), "replace", "",
		"take the place of this deployment, which another state directory began and nobody continues")
}

// compile returns the plan of a deploy file and prints its warnings. local reports whether an account is this machine.
func (a *app) compile(ctx context.Context, s service.Source, local func(string) bool) (service.Compiled, error) {
	key, err := a.dir.Key()
	if err != nil {
		return service.Compiled{}, err
	}
	in := service.Surroundings{Local: local, Sealer: key, Secret: a.redactor.Learn}
	store, err := a.dir.Read(ctx)
	if err == nil {
		defer store.Close()
		in.History = history.NewIndex(store)
	} else if sluice.ErrorCode(err) != sluice.NotFound {
		return service.Compiled{}, err
	}
	c, err := service.Compile(ctx, s, in)
	a.redactor.Publish(c.Plan)
	present.Findings(a.err, c.Warnings)
	return c, err
}
