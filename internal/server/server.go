package server

import (
	"context"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/history"
	"github.com/sluice-cd/sluice/internal/service"
)

// An Engine runs deployments. *engine.Engine is one.
type Engine interface {
	Start(ctx context.Context, plan *sluice.Plan, by sluice.Actor) (sluice.DeploymentID, error)
	Reopen(ctx context.Context, id sluice.DeploymentID, by sluice.Actor) error
	Watch(ctx context.Context, id sluice.DeploymentID, after sluice.Seq) iter.Seq2[engine.Update, error]
	Signal(ctx context.Context, id sluice.DeploymentID, sig sluice.Signal) error
}

// A Site is where a server deploys to: its configuration, its accounts and its key.
type Site interface {
	// Surroundings are what deploy files are compiled with. The server adds the history.
	Surroundings() service.Surroundings
	// Check refuses a plan that would certainly fail: what it uses is not configured, or rights are missing.
	Check(ctx context.Context, p *sluice.Plan) error
	// Preview says what each step of the plan would do. It changes nothing.
	Preview(ctx context.Context, p *sluice.Plan) (service.PlanPreview, error)
	// Losses are those of [service.Losses].
	Losses(ctx context.Context, p *sluice.Plan) (map[string]service.Loss, error)
	// DeleteCheckpoint is that of [service.DeleteCheckpoint].
	DeleteCheckpoint(ctx context.Context, c sluice.Checkpoint) error
}

// Refusals records in the audit why the caller of an entry was refused, unless there were too many refusals.
type Refusals interface {
	Record(ctx context.Context, e sluice.AuditEntry, why error)
}

// Config is what a server works with.
type Config struct {
	Store   sluice.Store
	Engine  Engine
	Site    Site
	Copies  Copies
	Pods    Pods
	Examine func(ctx context.Context, s service.Source) ([]service.Check, error) // as sluice doctor does
	Fetch   func(address string) ([]byte, error)                                 // see [service.Source]
	Dir     string                                                               // for bundles while they are compiled
	Now     func() time.Time
	Logger  *slog.Logger
	// Refusals are of what callers only look up; nil: they are not recorded.
	Refusals Refusals
	// Alone says that no other process takes over what the engine leaves: Watch ends when nobody runs the deployment.
	Alone bool
}

// A Server answers callers. It is safe for concurrent use.
type Server struct {
	Config
	starts  sync.RWMutex // held for reading from before a deployment is recorded until its caller was told
	closing bool
	works   *works
	history *history.Index // of all applications, not only those that a caller may see

	examining chan struct{} // holds one value during an examination that others wait for
	examined  atomic.Pointer[Examination]
}

// New returns a server. The caller closes it.
func New(c Config) *Server {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Server{
		Config: c, works: newWorks(), history: history.NewIndex(c.Store), examining: make(chan struct{}, 1),
	}
}

// Refuse lets no deployment start from now on. It returns when all earlier callers know that their deployment was
// recorded. Everything else is answered as before.
func (s *Server) Refuse() {
	s.starts.Lock()
	defer s.starts.Unlock()
	s.closing = true
}

// starting returns the function to call after the caller was told, or Unavailable.
func (s *Server) starting() (told func(), err error) {
	s.starts.RLock()
	if s.closing {
		s.starts.RUnlock()
		return nil, sluice.Errorf(sluice.Unavailable, "this server is about to stop").WithHint("try again")
	}
	return s.starts.RUnlock, nil
}

// need refuses what the caller may not do, and records in the audit what was decided.
func (s *Server) need(ctx context.Context, c access.Caller, e sluice.AuditEntry) error {
	verb := access.Verb(e.Verb)
	denied := c.Need(verb, e.Application, e.Target)
	if verb == access.Administer && denied == nil && !c.MayEverywhere(verb) {
		denied = sluice.Errorf(sluice.Denied, "%s may not administer this server", c.Actor.Name).
			WithHint("ask who runs this server for a role that grants administer everywhere")
	}
	return s.record(ctx, c, e, denied)
}

// record writes into the audit what was decided, and returns it. denied is nil if the caller may.
func (s *Server) record(ctx context.Context, c access.Caller, e sluice.AuditEntry, denied error) error {
	e.At, e.By, e.Allowed = s.Now(), c.Actor, denied == nil
	if denied != nil {
		e.Reason = denied.Error()
	}
	if err := s.Store.Record(ctx, e); err != nil {
		return sluice.Errorf(sluice.ErrorCode(err), "the audit cannot be written, so nothing was done: %w", err)
	}
	return denied
}

// needTargets is need for each of the targets.
func (s *Server) needTargets(ctx context.Context, c access.Caller, e sluice.AuditEntry, targets []string) error {
	for _, t := range targets {
		if e.Target = t; c.May(access.Verb(e.Verb), e.Application, t) {
			continue
		}
		return s.need(ctx, c, e)
	}
	if len(targets) > 1 {
		e.Target = ""
	}
	return s.need(ctx, c, e)
}

// see refuses a deployment that the caller may not view, as if there were none.
func (s *Server) see(ctx context.Context, c access.Caller, id sluice.DeploymentID) (*engine.State, error) {
	state, err := engine.Fold(id, s.Visible(c).Read(ctx, id, 0))
	if err != nil {
		return nil, err
	}
	return state, nil
}

func targetsOf(p *sluice.Plan) []string {
	var names []string
	for _, t := range p.Targets {
		names = append(names, t.Name)
	}
	return names
}
