package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/engine"
)

// configuration reads the sluice.yaml that holds for a deploy file. Without one it is that of the process which last
// carried out deployments here, so that whoever goes on means the same accounts by their names, or the working directory's.
func (a *app) configuration(file string) (*config.Config, error) {
	path, err := a.configurationPath(file)
	if err != nil {
		return nil, err
	}
	if path == "" {
		return config.Default(), nil
	}
	return config.Load(path)
}

func (a *app) configurationPath(file string) (string, error) {
	if a.config != "" {
		return a.config, nil
	}
	if file != "" {
		return config.Find(filepath.Dir(file), ".")
	}
	dir, err := a.stateDir()
	if err != nil {
		return "", err
	}
	if path, err := dir.configuration(); path != "" || err != nil {
		return path, err
	}
	return config.Find(".")
}

// configuration is the path of the sluice.yaml that deployments are carried out with, "" where they need none or none were.
func (d stateDir) configuration() (string, error) {
	path, err := os.ReadFile(d.path("configuration"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", sluice.Errorf(sluice.Invalid, "the state directory cannot be read: %w", err)
	}
	return strings.TrimSpace(string(path)), nil
}

// remember keeps the path of the sluice.yaml for those who go on. The directory is locked.
func (d stateDir) remember(c *config.Config) error {
	path, err := absolute(c.File)
	if err != nil {
		return err
	}
	next := d.path("configuration.next")
	if err = os.WriteFile(next, []byte(path+"\n"), 0o600); err == nil {
		err = os.Rename(next, d.path("configuration"))
	}
	if err != nil {
		return sluice.Errorf(sluice.Unavailable, "the state directory cannot be written: %w", err)
	}
	return nil
}

func absolute(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	return filepath.Abs(path)
}

// sameConfiguration is an error where another process carries out deployments here with another sluice.yaml: its accounts of
// the same names may be other places.
func (d stateDir) sameConfiguration(c *config.Config) error {
	theirs, err := d.configuration()
	if err != nil {
		return err
	}
	ours, err := absolute(c.File)
	if err != nil || ours == theirs {
		return err
	}
	return sluice.Errorf(sluice.Conflict, "the sluice that carries out deployments in %s does so with %s, and this one would with %s", d, named(theirs), named(ours)).
		WithHint("wait until it has ended, name the same file with --config, or keep the state apart with --state")
}

func named(path string) string {
	if path == "" {
		return "no " + config.FileName
	}
	return path
}

// checkUnended is an error where a deployment that has not ended needs an account that the configuration lacks. To go on
// with it would fail, and so would its undoing.
func checkUnended(ctx context.Context, store sluice.Store, c *config.Config) error {
	ids, err := store.Unended(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		state, err := engine.Fold(id, store.Read(ctx, id, 0))
		if err != nil {
			return fmt.Errorf("read deployment %s: %w", id, err)
		}
		if state.Plan.Rehearsal != nil {
			continue
		}
		if err := checkAccounts(state.Plan, c); err != nil {
			return sluice.Errorf(sluice.Invalid, "deployment %s of %s has not ended, and with %s nobody can go on with it: %w", id, state.Plan.Application, configName(c), err).
				WithHint("name the sluice.yaml that it was started with: --config FILE")
		}
	}
	return nil
}

// localAccounts tells which accounts are this machine.
func localAccounts(c *config.Config) func(string) bool {
	return func(name string) bool { return c.Accounts[name].Type == config.AccountLocal }
}

// checkAccounts is an error where a target of the plan deploys to an account that the configuration lacks.
func checkAccounts(p *sluice.Plan, c *config.Config) error {
	for _, t := range p.Targets {
		if _, ok := c.Accounts[t.Account]; !ok {
			return sluice.Errorf(sluice.Invalid, "target %s deploys to account %q, which is not configured", t.Name, t.Account).
				WithHint("add it under accounts in %s; the accounts there are: %s", configName(c), names(c.Accounts))
		}
	}
	return nil
}

func configName(c *config.Config) string {
	if c.File == "" {
		return config.FileName
	}
	return c.File
}
