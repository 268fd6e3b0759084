package bootstrap

import (
	"context"
	"errors"
	"io"
	"iter"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/engine"
)

// A Session is a connection to the engine of a state directory: an engine in this process, or in another process behind
// its socket.
type Session struct {
	Engine
	instance Instance
	own      *owner // nil where another process owns the state directory
}

// An Engine runs deployments. *engine.Engine is one. Signals go through the store's inbox.
type Engine interface {
	Start(ctx context.Context, plan *sluice.Plan, by sluice.Actor) (sluice.DeploymentID, error)
	Reopen(ctx context.Context, id sluice.DeploymentID, by sluice.Actor) error
	Watch(ctx context.Context, id sluice.DeploymentID, after sluice.Seq) iter.Seq2[engine.Update, error]
}

// An Instance says how to run deployments in a state directory.
type Instance struct {
	Dir    StateDir
	Config *config.Config
	Log    io.Writer                        // of the engine
	Note   func(format string, args ...any) // tells the user something
	Hold   bool                             // an engine of this process records new deployments but does not begin them
	// Address is how others reach the server of this process, which takes callbacks too. "": there is none.
	Address string

	observed *observation // of a server; nil without one
}

// Open connects to the engine of the state directory. If none runs, it starts one in this process.
func Open(ctx context.Context, i Instance) (*Session, error) {
	lock, held, err := i.Dir.lock()
	if err != nil {
		return nil, err
	}
	if !held {
		if s, err := attach(ctx, i); err == nil {
			return s, nil
		}
		// Another process holds the lock and does not answer: its engine is starting or stopping.
		if lock, err = i.Dir.waitLock(ctx); err != nil {
			return attach(ctx, i)
		}
	}
	own, err := i.own(ctx, lock)
	if err != nil {
		return nil, err
	}
	return &Session{Engine: own.engine, instance: i, own: own}, nil
}

// attach reaches the engine that runs in another process, or Unavailable.
func attach(ctx context.Context, i Instance) (*Session, error) {
	client, err := i.Dir.Control(ctx, sluice.Actor{})
	if err != nil {
		return nil, err
	}
	client.Close()
	return &Session{Engine: elsewhere{i.Dir}, instance: i}, nil
}

// Start begins a deployment. If the instance holds, an engine of this process only records it: what it began, such as
// the call of a webhook, would be interrupted and repeated. An engine elsewhere must use the same configuration.
func (s *Session) Start(ctx context.Context, p *sluice.Plan, by sluice.Actor) (sluice.DeploymentID, error) {
	if s.own != nil && s.instance.Hold {
		return s.own.engine.Submit(ctx, p, by)
	}
	if s.own == nil && p.Rehearsal == nil {
		if err := s.instance.Dir.sameConfiguration(s.instance.Config); err != nil {
			return "", err
		}
	}
	return s.Engine.Start(ctx, p, by)
}

// Reopen goes on with the undo of a deployment: see [engine.Engine.Reopen]. An engine elsewhere must use the same
// configuration.
func (s *Session) Reopen(ctx context.Context, id sluice.DeploymentID, by sluice.Actor) error {
	if s.own == nil {
		if err := s.instance.Dir.sameConfiguration(s.instance.Config); err != nil {
			return err
		}
	}
	return s.Engine.Reopen(ctx, id, by)
}

// IsOwner reports whether the engine runs in this process.
func (s *Session) IsOwner() bool { return s.own != nil }

// Resume continues interrupted deployments if the engine runs in this process.
func (s *Session) Resume(ctx context.Context) error {
	if s.own == nil {
		return nil
	}
	return s.own.engine.Resume(ctx)
}

// Wait returns the error with which the engine of this process stopped working on a deployment.
func (s *Session) Wait(ctx context.Context, id sluice.DeploymentID) error {
	_, err := s.own.engine.Wait(ctx, id)
	return err
}

// StopAfter says that the engine of this process will stop when the deployments have ended: see
// [engine.Engine.StopAfter].
func (s *Session) StopAfter(ids ...sluice.DeploymentID) {
	if s.own != nil {
		s.own.engine.StopAfter(ids...)
	}
}

// Finish closes the session. It returns the deployments that other processes handed to the engine of this process and
// that have not ended.
func (s *Session) Finish(ctx context.Context) ([]sluice.DeploymentID, error) {
	if s.own == nil {
		return nil, s.Close()
	}
	s.own.socket.core.Refuse()
	unended, err := s.own.store.Unended(ctx)
	return unended, errors.Join(err, s.Close())
}

// Close disconnects, and stops the engine of this process. Its deployments can be resumed.
func (s *Session) Close() error {
	if s.own != nil {
		return s.own.Close()
	}
	return nil
}

// Signal sends a signal to a deployment, whichever process runs it. If none does, it returns true: the signal stays in
// the inbox and takes effect when the deployment is resumed.
func (d StateDir) Signal(ctx context.Context, id sluice.DeploymentID, sig sluice.Signal) (recorded bool, err error) {
	store, err := d.open(ctx)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	answered, err := engine.Tell(ctx, store, id, sig)
	return err == nil && !answered, err
}
