package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-cd/sluice"
)

// A runner runs one deployment. Its loop alone touches the state; verbs run beside it, one a step at a time, and report
// back.
type runner struct {
	engine   *Engine
	state    *State
	lease    sluice.Lease
	calls    map[sluice.StepID]*call
	results  chan result
	guards   map[sluice.StepID]*guard
	alarms   chan alarm
	watching sync.WaitGroup // the goroutines of guards
	said     chan said
	mail     bell        // rings when there may be letters, or its turn may have come
	queued   atomic.Bool // it waits for its turn
	ended    chan struct{}
	err      error // why it left a deployment unfinished; set before ended is closed
}

func newRunner(e *Engine, s *State, lease sluice.Lease) *runner {
	return &runner{
		engine: e, state: s, lease: lease, calls: map[sluice.StepID]*call{}, results: make(chan result),
		guards: map[sluice.StepID]*guard{}, alarms: make(chan alarm),
		said: make(chan said), mail: make(bell, 1), ended: make(chan struct{}),
	}
}

// run returns when the deployment has ended, ctx is cancelled, or the lease or the log belongs to somebody else.
func (r *runner) run(ctx context.Context) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-r.lease.Lost():
			cancel(errLost)
		case <-ctx.Done():
		}
	}()
	r.err = r.loop(ctx)
	r.drain(ctx)
}

// restore reads the state of the deployment. The lease makes sure that nobody appends meanwhile.
func (r *runner) restore(ctx context.Context) error {
	state, err := Fold(r.state.ID, r.engine.config.Store.Read(ctx, r.state.ID, 0))
	if err != nil {
		return err
	}
	r.state = state
	letters, err := r.engine.config.Store.Letters(ctx, r.state.ID)
	if len(letters) > 0 {
		r.mail.ring()
	}
	return err
}

// reopen records that an undo that failed goes on.
func (r *runner) reopen(ctx context.Context, by sluice.Actor) error {
	if err := r.restore(ctx); err != nil {
		return err
	}
	if !r.state.CanReopen() {
		return sluice.Errorf(sluice.Conflict, "no undo of deployment %s has failed, so none can go on", r.state.ID).
			WithHint("see it with: sluice status %s", r.state.ID)
	}
	return r.append(ctx, []sluice.Event{{Kind: sluice.DeploymentReopened, Actor: &by}})
}

func (r *runner) loop(ctx context.Context) error {
	if len(r.mail) > 0 { // signals that came while nobody ran the deployment come before its next step
		if err := r.receive(ctx); err != nil {
			return err
		}
	}
	for {
		d := Decide(r.state, r.engine.config.Now())
		if err := r.carryOut(ctx, d); err != nil {
			return err
		}
		if r.state.Outcome != "" {
			break
		}
		if d.Begin && !r.state.Queued || len(d.Skip) > 0 { // its turn has come, or that of the steps after these
			continue
		}
		if err := r.await(ctx, d.Wake); err != nil {
			return err
		}
	}
	if err := r.receive(ctx); err != nil && ctx.Err() == nil { // when the engine stops, senders find out themselves
		r.engine.config.Logger.Warn("signals that came too late were not refused", "deployment", r.state.ID, "error", err)
	}
	return nil
}

// drain interrupts every verb and waits for it, so that no work of this deployment continues. Verbs that finished
// anyway are recorded if the log is still ours, so that they are not repeated.
func (r *runner) drain(ctx context.Context) {
	r.watch(ctx, nil)
	r.watching.Wait()
	for _, c := range r.calls {
		c.cancel(errStopped)
	}
	var events []sluice.Event
	for len(r.calls) > 0 {
		res := <-r.results
		if res.final {
			delete(r.calls, res.step)
			events = append(events, r.outcome(res)...)
		}
	}
	if errors.Is(r.err, errStopped) {
		if err := r.append(ctx, events); err != nil {
			r.err = err
		}
	}
}

// carryOut records the intents of a decision and starts its verbs.
func (r *runner) carryOut(ctx context.Context, d Decision) error {
	if d.Begin {
		return r.takeTurn(ctx)
	}
	for _, id := range d.Abort {
		if c := r.calls[id]; c != nil && c.verb != VerbUndo && c.verb != VerbFinish {
			c.cancel(errAborted)
		}
	}
	var actions []Action
	intents := r.skips(d.Skip)
	for _, a := range d.Actions {
		if r.calls[a.Step] != nil {
			continue
		}
		actions = append(actions, a)
		if kind, ok := r.intent(a); ok {
			intents = append(intents, sluice.Event{Kind: kind, Step: a.Step})
		}
	}
	if d.End != "" && len(r.calls) == 0 {
		intents = append(intents, sluice.Event{Kind: sluice.DeploymentEnded, Outcome: d.End})
	}
	if err := r.append(ctx, intents); err != nil {
		return err
	}
	r.watch(ctx, d.Guards)
	if len(actions) == 0 {
		return nil
	}
	results := r.state.Results()
	for _, a := range actions {
		r.begin(ctx, a, results)
	}
	return nil
}

// intent returns the event that must be in the log before the verb. That of Start is written when Check has returned.
func (r *runner) intent(a Action) (sluice.EventKind, bool) {
	phase := r.state.Steps[a.Step].Phase
	switch {
	case a.Verb == VerbUndo && phase != PhaseUndoing:
		return sluice.StepUndoing, true
	case a.Verb == VerbFinish && phase != PhaseFinishing:
		return sluice.StepFinishing, true
	}
	return "", false
}

// longestWait bounds how late a deployment notices that the clock was set, or that the machine slept.
const longestWait = time.Minute

// await blocks until something happened and records it.
func (r *runner) await(ctx context.Context, wake time.Time) error {
	var timer <-chan time.Time
	if !wake.IsZero() {
		t := time.NewTimer(min(wake.Sub(r.engine.config.Now()), longestWait))
		defer t.Stop()
		timer = t.C
	}
	select {
	case res := <-r.results:
		return r.record(ctx, res)
	case a := <-r.alarms:
		return r.raise(ctx, a)
	case s := <-r.said:
		return r.hear(ctx, s)
	case <-r.mail:
		return r.receive(ctx)
	case <-timer:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// record appends the result of a verb, together with the results that other verbs reported meanwhile.
func (r *runner) record(ctx context.Context, first result) error {
	var events []sluice.Event
	for res, more := first, true; more; res, more = r.next() {
		if res.final {
			delete(r.calls, res.step)
		}
		events = append(events, r.outcome(res)...)
	}
	return r.append(ctx, events)
}

func (r *runner) next() (result, bool) {
	select {
	case res := <-r.results:
		return res, true
	default:
		return result{}, false
	}
}

// outcome turns a result into events. An interrupted verb gives none: the decision that interrupted it, or the next
// start of the engine, handles the step. The same is true of a verb whose step was skipped or failed by a guard
// meanwhile, and of the check of a step that a pause holds back.
func (r *runner) outcome(res result) []sluice.Event {
	run := r.state.Steps[res.step]
	isHeld := res.verb == VerbCheck && r.state.Paused(run.Plan.Target) != nil
	if res.interrupted || isHeld || run.Phase == PhaseFailed || run.Phase == PhaseSkipped {
		return nil
	}
	if !res.final {
		return r.meanwhile(res)
	}
	e := sluice.Event{Step: res.step, Failure: res.failure}
	if res.failure != nil {
		e.Kind = map[Verb]sluice.EventKind{VerbUndo: sluice.StepUndoFailed, VerbFinish: sluice.StepFinishFailed}[res.verb]
		if e.Kind == "" {
			e.Kind, e.Progress = sluice.StepFailed, stripped(res.progress)
		}
		return []sluice.Event{e}
	}
	switch res.verb {
	case VerbUndo:
		e.Kind = sluice.StepUndone
	case VerbFinish:
		e.Kind = sluice.StepFinished
	case VerbCheck:
		e.Kind, e.Progress = sluice.StepStarting, &res.progress
	default:
		return r.advanced(e, res.progress)
	}
	return []sluice.Event{e}
}

// meanwhile returns the event for what a verb waits for, unless the log says it already.
func (r *runner) meanwhile(res result) []sluice.Event {
	run := r.state.Steps[res.step]
	switch {
	case r.calls[res.step] == nil: // it has ended
		return nil
	case res.failure == nil && run.WaitsFor != res.waitsFor:
		p := &sluice.Progress{State: sluice.Running, Message: res.waitsFor}
		return []sluice.Event{{Kind: sluice.StepUndoing, Step: res.step, Progress: p}}
	case res.failure != nil && (!res.told || run.Retrying == nil || run.Retrying.Code != res.failure.Code):
		return []sluice.Event{{Kind: sluice.StepRetrying, Step: res.step, Failure: res.failure, Until: res.until}}
	}
	return nil
}

func (r *runner) advanced(e sluice.Event, p sluice.Progress) []sluice.Event {
	e.Kind, e.Progress = sluice.StepProgressed, stripped(p)
	if p.State == sluice.Done {
		e.Kind = sluice.StepDone
	}
	return []sluice.Event{e}
}

// stripped removes the snapshot, which is in the log already.
func stripped(p sluice.Progress) *sluice.Progress {
	p.Snapshot = nil
	return &p
}

// append makes events durable and applies them to the state. While the log cannot be written, the deployment stands
// still: no effect follows another before the outcome of the first is recorded. ctx ends the waiting for the log, but
// not the first try.
func (r *runner) append(ctx context.Context, events []sluice.Event) error {
	if len(events) == 0 {
		return nil
	}
	for i := range events {
		events[i].Seq = r.state.Seq + sluice.Seq(i) + 1
		events[i].At = r.engine.config.Now()
	}
	kept, store := context.WithoutCancel(ctx), r.engine.config.Store
	err := r.engine.persist(ctx, func() error { return store.Append(kept, r.state.ID, r.state.Seq, events...) })
	if err != nil {
		return fmt.Errorf("append to the log: %w", err)
	}
	for _, e := range events {
		r.state.Apply(e)
	}
	return nil
}
