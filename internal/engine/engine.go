package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sluice-cd/sluice"
)

// A Store is what an engine needs of a [sluice.Store].
type Store interface {
	sluice.Log
	sluice.Leases
	sluice.Inbox
	sluice.Tail
}

// Config is what an engine works with.
type Config struct {
	Store    Store
	Steps    sluice.Steps
	Now      func() time.Time
	Random   io.Reader     // makes deployment ids unlike each other
	RetryFor time.Duration // how long a step may find something unavailable before it fails; default one minute
	Logger   *slog.Logger  // default: none
}

// An Engine carries out deployments. Several engines, also in several processes, may work on one store: each deployment
// is run by the engine that holds its lease.
type Engine struct {
	store    Store
	steps    sluice.Steps
	now      func() time.Time
	random   io.Reader
	retryFor time.Duration
	logger   *slog.Logger

	ctx    context.Context
	cancel context.CancelCauseFunc
	hub    hub

	mu                 sync.Mutex
	runners            map[sluice.DeploymentID]*runner
	idle               sync.Cond // broadcast when a runner has ended
	delivers, wakesAll bool      // whether these goroutines were started
	background         sync.WaitGroup
}

var (
	errStopped = errors.New("the engine stops")
	errLost    = sluice.Errorf(sluice.Conflict, "the lease of the deployment was lost").WithHint("see who runs it with: sluice status")
)

// New returns an engine that does nothing yet.
func New(c Config) *Engine {
	e := &Engine{
		store: c.Store, steps: c.Steps, now: c.Now, random: c.Random, retryFor: c.RetryFor, logger: c.Logger,
		runners: map[sluice.DeploymentID]*runner{},
	}
	if e.retryFor == 0 {
		e.retryFor = time.Minute
	}
	if e.logger == nil {
		e.logger = slog.New(slog.DiscardHandler)
	}
	e.idle.L = &e.mu
	e.ctx, e.cancel = context.WithCancelCause(context.Background())
	return e
}

// A Vetter is a step that can tell, before anything starts, that it can never be done here: because the account does not
// support a kind or a field. It does not judge what may still change before the step's turn.
type Vetter interface {
	Vet(ctx context.Context) error
}

// Start records a new deployment and begins it. It is a Conflict while another deployment of the same application runs, and
// Invalid or Unsupported if a step cannot be made or done here; in all three cases nothing was recorded.
func (e *Engine) Start(ctx context.Context, plan *sluice.Plan, by sluice.Actor) (sluice.DeploymentID, error) {
	state, started, err := e.prepare(ctx, plan, by)
	if err != nil {
		return "", err
	}
	lease, err := e.store.Lease(ctx, state.ID) // before anybody else can know of the deployment
	if err != nil {
		return "", err
	}
	if err := e.store.Append(ctx, state.ID, 0, started); err != nil {
		e.release(lease)
		return "", err
	}
	e.launch(state, lease)
	return state.ID, nil
}

// Submit is Start without the beginning, for an engine that is about to stop: the next Resume begins the deployment, and
// nothing of it was interrupted.
func (e *Engine) Submit(ctx context.Context, plan *sluice.Plan, by sluice.Actor) (sluice.DeploymentID, error) {
	state, started, err := e.prepare(ctx, plan, by)
	if err != nil {
		return "", err
	}
	if err := e.store.Append(ctx, state.ID, 0, started); err != nil {
		return "", err
	}
	return state.ID, nil
}

// prepare returns the deployment as it will have begun, and the event that begins it.
func (e *Engine) prepare(ctx context.Context, plan *sluice.Plan, by sluice.Actor) (*State, sluice.Event, error) {
	started := sluice.Event{Seq: 1, At: e.now(), Kind: sluice.DeploymentStarted, Plan: plan, Actor: &by}
	var random [4]byte
	if _, err := io.ReadFull(e.random, random[:]); err != nil {
		return nil, started, fmt.Errorf("name the deployment: %w", err)
	}
	state := &State{ID: newID(started.At, random)}
	state.Apply(started)
	for _, p := range plan.Steps {
		if err := e.vet(ctx, state.stepContext(p.ID)); err != nil {
			return nil, started, fmt.Errorf("%s: %w", p.ID, err)
		}
	}
	return state, started, nil
}

// vet makes the step once, to find out whether it can be.
func (e *Engine) vet(ctx context.Context, sc sluice.StepContext) error {
	step, err := e.steps.New(sc)
	if err != nil {
		return err
	}
	if v, ok := step.(Vetter); ok {
		return v.Vet(ctx)
	}
	return nil
}

// Resume goes on with every deployment that has not ended and that no process runs. It leaves the others alone.
func (e *Engine) Resume(ctx context.Context) error {
	ids, err := e.store.Unended(ctx)
	if err != nil {
		return err
	}
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, id := range ids {
		group.Go(func() error { return e.resume(ctx, id) })
	}
	return group.Wait()
}

func (e *Engine) resume(ctx context.Context, id sluice.DeploymentID) error {
	lease, err := e.store.Lease(ctx, id)
	if sluice.ErrorCode(err) == sluice.Conflict {
		return nil
	}
	if err != nil {
		return err
	}
	state, err := Fold(id, e.store.Read(ctx, id, 0)) // after the lease, so that nobody appends any more
	if err != nil || state.Outcome != "" {
		e.release(lease)
		return err
	}
	e.launch(state, lease)
	return nil
}

// launch runs the deployment until it has ended, the lease is lost or the engine stops.
func (e *Engine) launch(state *State, lease sluice.Lease) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ctx.Err() != nil {
		e.release(lease)
		return
	}
	e.keep(&e.delivers, e.deliver)
	r := newRunner(e, state, lease)
	e.runners[state.ID] = r
	go func() {
		r.run(e.ctx)
		e.release(lease)
		e.mu.Lock()
		if e.runners[state.ID] == r {
			delete(e.runners, state.ID)
		}
		e.mu.Unlock()
		close(r.ended)
		e.idle.Broadcast()
	}()
}

// release ends a lease. If that fails the lease still ends with the process.
func (e *Engine) release(lease sluice.Lease) {
	if err := lease.Release(); err != nil {
		e.logger.Error("a lease cannot be released; the deployment stays with this process", "error", err)
	}
}

// keep starts a goroutine, once, that follows something in the store until the engine stops. e.mu is held.
func (e *Engine) keep(started *bool, follow func(context.Context) error) {
	if *started || e.ctx.Err() != nil {
		return
	}
	*started = true
	e.background.Go(func() {
		for e.ctx.Err() == nil {
			if err := follow(e.ctx); err != nil && e.ctx.Err() == nil {
				e.logger.Error("the store cannot be followed; it is tried again", "error", err, "hint", sluice.ErrorHint(err))
			}
			sleep(e.ctx, glance)
		}
	})
}

func (e *Engine) runner(id sluice.DeploymentID) *runner {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.runners[id]
}

// Wait returns the outcome of a deployment once it has ended, or why it is no longer carried out here.
func (e *Engine) Wait(ctx context.Context, id sluice.DeploymentID) (sluice.Status, error) {
	if r := e.runner(id); r != nil {
		select {
		case <-r.ended:
		case <-ctx.Done():
			return "", ctx.Err()
		}
		return r.state.Outcome, r.err
	}
	state, err := Fold(id, e.store.Read(ctx, id, 0))
	if err != nil {
		return "", err
	}
	if state.Outcome == "" {
		return "", sluice.Errorf(sluice.Cancelled, "deployment %s was left unfinished", id).WithHint("go on with: sluice run --resume")
	}
	return state.Outcome, nil
}

// Idle returns when no deployment is being carried out.
func (e *Engine) Idle(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		e.mu.Lock() // whoever has looked at ctx waits by now
		defer e.mu.Unlock()
		e.idle.Broadcast()
	})
	defer stop()
	e.mu.Lock()
	defer e.mu.Unlock()
	for len(e.runners) > 0 && ctx.Err() == nil {
		e.idle.Wait()
	}
	return ctx.Err()
}

// Stop interrupts what is under way and returns when nothing is. The log knows where to go on. Stopping
// twice is harmless.
func (e *Engine) Stop(ctx context.Context) error {
	e.cancel(errStopped)
	err := e.Idle(ctx)
	e.background.Wait() // it ends at once
	return err
}

// newID returns a name that sorts by time: milliseconds since 1970 and 32 random bits, both in hex.
func newID(now time.Time, random [4]byte) sluice.DeploymentID {
	return sluice.DeploymentID(fmt.Sprintf("%011x-%x", now.UnixMilli(), random))
}
