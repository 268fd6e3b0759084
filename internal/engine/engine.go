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

// Config is what an engine works with.
type Config struct {
	Store    sluice.Store
	Steps    sluice.Steps
	Now      func() time.Time
	Random   io.Reader     // makes deployment ids unique, and spreads what is tried again
	RetryFor time.Duration // how long a step may find something unavailable before it fails; default one minute
	Logger   *slog.Logger  // default: none
}

// An Engine runs deployments. Several engines, also in several processes, may work on one store: each deployment is run
// by the engine that holds its lease.
type Engine struct {
	config  Config
	ctx     context.Context
	cancel  context.CancelCauseFunc
	hub     hub
	running sync.WaitGroup

	delivering, waking sync.Once // begin to follow the inbox and the tail
	mu                 sync.Mutex
	runners            map[sluice.DeploymentID]*runner
	last               map[string][]sluice.DeploymentID // by application: see StopAfter
}

var (
	errStopped = errors.New("the engine stops")
	errLost    = sluice.Errorf(sluice.Conflict, "the lease of the deployment was lost").
			WithHint("see who runs it with: sluice status")
)

// New returns an engine that does nothing yet.
func New(c Config) *Engine {
	if c.RetryFor == 0 {
		c.RetryFor = time.Minute
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	e := &Engine{
		config: c, runners: map[sluice.DeploymentID]*runner{}, last: map[string][]sluice.DeploymentID{},
	}
	e.ctx, e.cancel = context.WithCancelCause(context.Background())
	return e
}

// Start records a new deployment and begins it. While another deployment of the same application has not ended, it is
// queued if its plan says so, and otherwise a Conflict. If steps will certainly fail, the error is a Diagnostics that
// says all of it: see [Vetting]. With an error nothing was recorded.
func (e *Engine) Start(ctx context.Context, plan *sluice.Plan, by sluice.Actor) (sluice.DeploymentID, error) {
	state, first, err := e.prepare(ctx, plan, by)
	if err != nil {
		return "", err
	}
	r, err := e.enlist(ctx, state) // before anybody else can know of the deployment
	if err != nil {
		return "", err
	}
	if err := e.config.Store.Append(ctx, state.ID, 0, first); err != nil {
		e.dismiss(r)
		return "", err
	}
	e.launch(r)
	return state.ID, nil
}

// Submit records the deployment like Start but does not begin it, for an engine that is about to stop. The next Resume
// begins it, so nothing of it is interrupted.
func (e *Engine) Submit(ctx context.Context, plan *sluice.Plan, by sluice.Actor) (sluice.DeploymentID, error) {
	state, first, err := e.prepare(ctx, plan, by)
	if err != nil {
		return "", err
	}
	if err := e.config.Store.Append(ctx, state.ID, 0, first); err != nil {
		return "", err
	}
	return state.ID, nil
}

// prepare returns the state of the deployment at its beginning, and the event that begins it.
func (e *Engine) prepare(ctx context.Context, plan *sluice.Plan, by sluice.Actor) (*State, sluice.Event, error) {
	first := sluice.Event{Seq: 1, At: e.config.Now(), Kind: sluice.DeploymentStarted, Plan: plan, Actor: &by}
	if plan.Enqueue {
		first.Kind = sluice.DeploymentQueued
	}
	var random [4]byte
	if err := e.random(random[:]); err != nil {
		return nil, first, fmt.Errorf("name the deployment: %w", err)
	}
	state := &State{ID: newID(first.At, random)}
	state.Apply(first)
	return state, first, e.vet(ctx, state)
}

// random fills the slice. A source need not be safe for concurrent use.
func (e *Engine) random(into []byte) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, err := io.ReadFull(e.config.Random, into)
	return err
}

// vet finds what will certainly fail before anything is recorded.
func (e *Engine) vet(ctx context.Context, state *State) error {
	var faults []error
	var refused sluice.Diagnostics
	vetting := Vetting{Steps: e.config.Steps}
	for _, p := range state.Plan.Steps {
		found, err := vetting.Vet(ctx, state.stepContext(p.ID))
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", p.ID, err))
		}
		refused = append(refused, found...)
	}
	if len(faults) > 0 || len(refused) == 0 {
		return errors.Join(faults...)
	}
	return refused.InOrder("")
}

// Resume continues every deployment that has not ended and that no process runs. It does not touch the others.
func (e *Engine) Resume(ctx context.Context) error {
	ids, err := e.config.Store.Unended(ctx)
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
	r, err := e.enlist(ctx, &State{ID: id})
	if sluice.ErrorCode(err) == sluice.Conflict {
		return nil
	}
	if err != nil {
		return err
	}
	if err := r.restore(ctx); err != nil || r.state.Outcome != "" {
		r.err = err
		e.dismiss(r)
		return err
	}
	e.config.Logger.Info("takes over a deployment that no process ran", "deployment", string(id))
	e.launch(r)
	return nil
}

// Reopen goes on with the undo of a deployment that has ended and left steps that could not be undone. They are undone
// again, and so are those that their target started before, the last started first. Then the deployment ends again. It
// is a Conflict if nothing was left, or while another deployment of the application has not ended.
func (e *Engine) Reopen(ctx context.Context, id sluice.DeploymentID, by sluice.Actor) error {
	r, err := e.enlist(ctx, &State{ID: id})
	if err != nil {
		return err
	}
	if err := r.reopen(ctx, by); err != nil {
		r.err = err
		e.dismiss(r)
		return err
	}
	e.launch(r)
	return nil
}

// enlist takes the lease of a deployment. From then on, its runner hears of letters.
func (e *Engine) enlist(ctx context.Context, state *State) (*runner, error) {
	lease, err := e.config.Store.Lease(ctx, state.ID)
	if err != nil {
		return nil, err
	}
	r := newRunner(e, state, lease)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.runners[state.ID] = r
	return r, nil
}

// launch runs the deployment until it has ended, the lease is lost or the engine stops.
func (e *Engine) launch(r *runner) {
	e.keep(&e.delivering, e.deliver)
	if r.state.Queued {
		r.queued.Store(true)
		e.keep(&e.waking, e.wake)
	}
	running := e.spawn(func() {
		r.run(e.ctx)
		e.dismiss(r)
	})
	if !running {
		r.err = errStopped
		e.dismiss(r)
	}
}

// spawn runs f in a goroutine that Stop waits for, unless the engine has stopped.
func (e *Engine) spawn(f func()) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ctx.Err() != nil {
		return false
	}
	e.running.Go(f)
	return true
}

// dismiss ends the lease. If that fails, the lease still ends with the process.
func (e *Engine) dismiss(r *runner) {
	if err := r.lease.Release(); err != nil {
		e.config.Logger.Error("a lease cannot be released; the deployment stays with this process", "error", err)
	}
	e.mu.Lock()
	if e.runners[r.state.ID] == r {
		delete(e.runners, r.state.ID)
	}
	e.mu.Unlock()
	close(r.ended)
}

// keep begins, once, to follow something in the store until the engine stops.
func (e *Engine) keep(begun *sync.Once, follow func(context.Context) error) {
	begun.Do(func() {
		e.spawn(func() {
			for e.ctx.Err() == nil {
				if err := follow(e.ctx); err != nil && e.ctx.Err() == nil {
					e.config.Logger.Error("the store cannot be followed; it is tried again", "error", err)
				}
				sleep(e.ctx, glance)
			}
		})
	})
}

func (e *Engine) runner(id sluice.DeploymentID) *runner {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.runners[id]
}

// Wait returns the outcome of a deployment once it has ended, or why it no longer runs here.
func (e *Engine) Wait(ctx context.Context, id sluice.DeploymentID) (sluice.Status, error) {
	if r := e.runner(id); r != nil {
		select {
		case <-r.ended:
		case <-ctx.Done():
			return "", ctx.Err()
		}
		return r.state.Outcome, r.err
	}
	state, err := Fold(id, e.config.Store.Read(ctx, id, 0))
	if err != nil {
		return "", err
	}
	if state.Outcome == "" {
		return "", sluice.Errorf(sluice.Cancelled, "deployment %s was left unfinished", id).
			WithHint("go on with: sluice run --resume")
	}
	return state.Outcome, nil
}

// Stop interrupts all work and returns when none is left, or ctx ends. The log says where to continue. Stopping twice
// is harmless.
func (e *Engine) Stop(ctx context.Context) error {
	e.mu.Lock()
	e.cancel(errStopped)
	e.mu.Unlock()
	stopped := make(chan struct{})
	go func() {
		e.running.Wait()
		close(stopped)
	}()
	select {
	case <-stopped:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// newID returns a name that sorts by time: milliseconds since 1970 and 32 random bits, both in hex.
func newID(now time.Time, random [4]byte) sluice.DeploymentID {
	return sluice.DeploymentID(fmt.Sprintf("%011x-%x", now.UnixMilli(), random))
}
