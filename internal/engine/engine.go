package engine

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sluice-cd/sluice"
)

// Config is what an engine works with.
type Config struct {
	Log      sluice.Log
	Steps    sluice.Steps
	Now      func() time.Time // default time.Now
	RetryFor time.Duration    // how long a step may find something unavailable before it fails; default one minute
	Logger   *slog.Logger     // default: none
}

// An Engine carries out deployments. Only one engine may work on a log at a time; a second one's appends are
// refused as conflicts, and it lets go.
type Engine struct {
	log      sluice.Log
	steps    sluice.Steps
	now      func() time.Time
	retryFor time.Duration
	logger   *slog.Logger

	ctx    context.Context
	cancel context.CancelCauseFunc
	hub    hub

	mu      sync.Mutex
	runners map[sluice.DeploymentID]*runner
	idle    sync.Cond // broadcast when a runner has ended
}

var errStopped = errors.New("the engine stops")

// New returns an engine that does nothing yet.
func New(c Config) *Engine {
	e := &Engine{log: c.Log, steps: c.Steps, now: c.Now, retryFor: c.RetryFor, logger: c.Logger, runners: map[sluice.DeploymentID]*runner{}}
	if e.now == nil {
		e.now = time.Now
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

// A Vetter is a step that can tell before anything starts what of it can never be done here: a kind or a field
// that the account does not carry out. What may still change before the step's turn is none of its business.
type Vetter interface {
	Vet(ctx context.Context) error
}

// Start records a new deployment and begins it. It is a Conflict while another deployment of the same
// application runs, and Invalid or Unsupported where a step cannot be made or done here; nothing was recorded then.
func (e *Engine) Start(ctx context.Context, plan *sluice.Plan, by sluice.Actor) (sluice.DeploymentID, error) {
	state, err := e.submit(ctx, plan, by)
	if err != nil {
		return "", err
	}
	e.launch(state)
	return state.ID, nil
}

// Submit is Start without the beginning, for an engine that is about to stop: the next Resume begins the
// deployment, and nothing of it was interrupted.
func (e *Engine) Submit(ctx context.Context, plan *sluice.Plan, by sluice.Actor) (sluice.DeploymentID, error) {
	state, err := e.submit(ctx, plan, by)
	if err != nil {
		return "", err
	}
	return state.ID, nil
}

func (e *Engine) submit(ctx context.Context, plan *sluice.Plan, by sluice.Actor) (*State, error) {
	started := sluice.Event{Seq: 1, At: e.now(), Kind: sluice.DeploymentStarted, Plan: plan, Actor: &by}
	state := &State{ID: newID(started.At)}
	state.Apply(started)
	for _, p := range plan.Steps {
		if err := e.vet(ctx, state.stepContext(p.ID)); err != nil {
			return nil, fmt.Errorf("%s: %w", p.ID, err)
		}
	}
	return state, e.log.Append(ctx, state.ID, 0, started)
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

// Resume goes on with every deployment that has not ended. Those that run already are left alone.
func (e *Engine) Resume(ctx context.Context) error {
	ids, err := e.log.Unended(ctx)
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
	if e.runner(id) != nil {
		return nil
	}
	state, err := Fold(id, e.log.Read(ctx, id, 0))
	if err != nil {
		return fmt.Errorf("read deployment %s: %w", id, err)
	}
	e.launch(state)
	return nil
}

func (e *Engine) launch(state *State) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.runners[state.ID] != nil || e.ctx.Err() != nil {
		return
	}
	r := newRunner(e, state)
	e.runners[state.ID] = r
	go func() {
		r.run(e.ctx)
		e.mu.Lock()
		delete(e.runners, state.ID)
		e.mu.Unlock()
		close(r.ended)
		e.idle.Broadcast()
	}()
}

func (e *Engine) runner(id sluice.DeploymentID) *runner {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.runners[id]
}

// Signal says something to a running deployment and returns once it is recorded. NotFound: no such
// deployment or step; Conflict: it has ended, the step does not wait for this, or it was said before;
// Denied: the step asks for a role that the actor lacks.
func (e *Engine) Signal(ctx context.Context, id sluice.DeploymentID, sig sluice.Signal) error {
	r := e.runner(id)
	if r == nil {
		return e.notRunning(ctx, id)
	}
	request := signalRequest{sig, make(chan error, 1)}
	select {
	case r.signals <- request:
	case <-r.ended:
		return e.notRunning(ctx, id)
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-request.reply:
		return err
	case <-r.ended:
	}
	select {
	case err := <-request.reply: // the signal itself may have ended the deployment
		return err
	default:
		return e.notRunning(ctx, id)
	}
}

func (e *Engine) notRunning(ctx context.Context, id sluice.DeploymentID) error {
	state, err := Fold(id, e.log.Read(ctx, id, 0))
	if err != nil {
		return err
	}
	if state.Outcome == "" {
		return sluice.Errorf(sluice.Unavailable, "deployment %s is not being carried out", id).WithHint("start it again with: sluice run --resume")
	}
	return ended(state)
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
	state, err := Fold(id, e.log.Read(ctx, id, 0))
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
	return e.Idle(ctx)
}

// newID returns a name that sorts by time: milliseconds since 1970 and 32 random bits, both in hex.
func newID(now time.Time) sluice.DeploymentID {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return sluice.DeploymentID(fmt.Sprintf("%011x-%s", now.UnixMilli(), hex.EncodeToString(b[:])))
}
