package main

import (
	"context"
	"errors"
	"os/user"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/httpapi"
	"github.com/sluice-cd/sluice/internal/sqlite"
)

// A session is a way to the engine of a state directory: the one of this process, or that of another
// process behind its socket.
type session struct {
	httpapi.Engine
	own    *owner // nil where another process owns the state directory
	client *httpapi.Client
}

// open reaches the engine of the state directory, becoming its owner where nobody is.
func (a *app) open(ctx context.Context, c *config.Config) (*session, error) {
	dir, err := a.stateDir()
	if err != nil {
		return nil, err
	}
	lock, held, err := dir.lock()
	if err != nil {
		return nil, err
	}
	if !held {
		if s, err := attach(ctx, dir); err == nil {
			return s, nil
		}
		// Somebody holds the lock and does not answer: their engine starts or stops right now.
		if lock, err = dir.waitLock(ctx); err != nil {
			return attach(ctx, dir)
		}
	}
	own, err := a.own(ctx, dir, lock, c)
	if err != nil {
		return nil, err
	}
	return &session{Engine: own.engine, own: own}, nil
}

// attach reaches the engine that runs in another process, or Unavailable.
func attach(ctx context.Context, dir stateDir) (*session, error) {
	client := httpapi.NewClient(dir.socket())
	if _, err := client.Deployments(ctx, ""); err != nil {
		client.Close()
		return nil, err
	}
	return &session{Engine: client, client: client}, nil
}

// Close lets go of the engine. What this process still carried out is left to be resumed.
func (s *session) Close() error {
	if s.own != nil {
		return s.own.Close()
	}
	s.client.Close()
	return nil
}

// signal tells a deployment something, whichever process runs it. If none does, the signal stays in the inbox and is
// acted on when the deployment is resumed; recorded says so.
func (a *app) signal(ctx context.Context, id sluice.DeploymentID, sig sluice.Signal) (recorded bool, err error) {
	dir, err := a.stateDir()
	if err != nil {
		return false, err
	}
	store, err := sqlite.Open(ctx, dir.store())
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	answered, err := engine.Tell(ctx, store, id, sig)
	return err == nil && !answered, err
}

// actor is who types here.
func actor(roles ...string) sluice.Actor {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return sluice.Actor{Name: name, Roles: roles, Via: "cli"}
}
