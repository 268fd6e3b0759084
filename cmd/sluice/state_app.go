package main

import (
	"context"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/bootstrap"
	"github.com/sluice-cd/sluice/internal/config"
)

func (a *app) stateDir() (bootstrap.StateDir, error) { return bootstrap.OpenState(a.state) }

// configuration reads the sluice.yaml for a deploy file, "" for none.
func (a *app) configuration(file string) (*config.Config, error) {
	dir, err := a.stateDir()
	if err != nil {
		return nil, err
	}
	return dir.Configuration(a.config, file)
}

// open reaches the engine of the state directory. If hold is true and this process becomes the owner, new deployments
// are recorded but not begun.
func (a *app) open(ctx context.Context, c *config.Config, hold bool) (*bootstrap.Session, error) {
	dir, err := a.stateDir()
	if err != nil {
		return nil, err
	}
	return bootstrap.Open(ctx, bootstrap.Instance{Dir: dir, Config: c, Log: a.err, Note: a.note, Hold: hold})
}

// signal tells a deployment something; recorded says that no engine runs, so that it is acted on later.
func (a *app) signal(ctx context.Context, id sluice.DeploymentID, sig sluice.Signal) (recorded bool, err error) {
	dir, err := a.stateDir()
	if err != nil {
		return false, err
	}
	return dir.Signal(ctx, id, sig)
}
