package main

import (
	"context"
	"os/user"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/bootstrap"
	"github.com/sluice-cd/sluice/internal/config"
)

func (a *app) stateDir() (bootstrap.StateDir, error) { return bootstrap.OpenState(a.state) }

// configuration reads the sluice.yaml of a deploy file, or without one that of the state directory.
func (a *app) configuration(file string) (*config.Config, error) {
	dir, err := a.stateDir()
	if err != nil {
		return nil, err
	}
	return dir.Configuration(a.config, file)
}

// open connects to the engine of the state directory. If hold is true, an engine of this process records new
// deployments but does not begin them.
func (a *app) open(ctx context.Context, c *config.Config, hold bool) (*bootstrap.Session, error) {
	dir, err := a.stateDir()
	if err != nil {
		return nil, err
	}
	return bootstrap.Open(ctx, bootstrap.Instance{Dir: dir, Config: c, Log: a.err, Note: a.note, Hold: hold})
}

// signal sends a signal to a deployment. recorded is true if no engine runs.
func (a *app) signal(ctx context.Context, id sluice.DeploymentID, sig sluice.Signal) (recorded bool, err error) {
	dir, err := a.stateDir()
	if err != nil {
		return false, err
	}
	return dir.Signal(ctx, id, sig)
}

// wiring returns the adapters for a command that runs no deployment. The caller closes it.
func (a *app) wiring() (*bootstrap.Wiring, error) {
	c, err := a.configuration("")
	if err != nil {
		return nil, err
	}
	dir, err := a.stateDir()
	return bootstrap.NewWiring(dir, c), err
}

// actor is the user who runs this command.
func actor(roles ...string) sluice.Actor {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return sluice.Actor{Name: name, Roles: roles, Via: "cli"}
}
