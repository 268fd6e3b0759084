package engine

import (
	"context"
	"errors"
	"time"

	"github.com/sluice-cd/sluice"
)

// A runner carries out one deployment. Its loop alone touches the state; verbs run beside it, one a step at
// a time, and report back.
type runner struct {
	engine  *Engine
	state   *State
	calls   map[sluice.StepID]*call
	results chan result
	signals chan signalRequest
	ended   chan struct{}
	err     error // why it let go of an unended deployment; set before ended is closed
}

type signalRequest struct {
	signal sluice.Signal
	reply  chan error
}

func newRunner(e *Engine, s *State) *runner {
	return &runner{
		engine: e, state: s, calls: map[sluice.StepID]*call{},
		results: make(chan result), signals: make(chan signalRequest), ended: make(chan struct{}),
	}
}

// run returns when the deployment has ended, ctx is cancelled or the log belongs to somebody else.
func (r *runner) run(ctx context.Context) {
	defer r.drain(ctx)
	for r.state.Outcome == "" {
		d := Decide(r.state, r.engine.now())
		if err := r.carryOut(ctx, d); err != nil {
			r.err = err
			return
		}
		if r.state.Outcome != "" {
			return
		}
		if err := r.await(ctx, d.Wake); err != nil {
			r.err = err
			return
		}
	}
}

// drain interrupts every verb and waits for it, so that nothing of this deployment runs on. What was done all the
// same is recorded, if the log is still ours, so that it is not done again.
func (r *runner) drain(ctx context.Context) {
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
	r.engine.hub.wake(r.state.ID)
}

// carryOut records the intents of a decision and sets its verbs going.
func (r *runner) carryOut(ctx context.Context, d Decision) error {
	for _, id := range d.Abort {
		if c := r.calls[id]; c != nil && c.verb != VerbUndo && c.verb != VerbFinish {
			c.cancel(errAborted)
		}
	}
	var actions []Action
	var intents []sluice.Event
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
	for _, a := range actions {
		r.begin(ctx, a)
	}
	return nil
}

// intent is what must be in the log before the verb. That of Start is written when Check has returned.
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

// await blocks until something happened and records it.
func (r *runner) await(ctx context.Context, wake time.Time) error {
	var timer <-chan time.Time
	if !wake.IsZero() {
		t := time.NewTimer(wake.Sub(r.engine.now()))
		defer t.Stop()
		timer = t.C
	}
	select {
	case res := <-r.results:
		return r.record(ctx, res)
	case request := <-r.signals:
		return r.receive(ctx, request)
	case <-timer:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// record appends what a verb came to, together with what other verbs came to meanwhile.
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

// outcome turns what a verb came to into events. A verb that was interrupted says nothing: the decision that
// interrupted it, or the next start of the engine, deals with the step.
func (r *runner) outcome(res result) []sluice.Event {
	if res.interrupted {
		return nil
	}
	e := sluice.Event{Step: res.step, Failure: res.failure}
	if !res.final {
		e.Kind = sluice.StepRetrying
		e.Until = res.until
		return []sluice.Event{e}
	}
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

func (r *runner) advanced(e sluice.Event, p sluice.Progress) []sluice.Event {
	e.Kind, e.Progress = sluice.StepProgressed, stripped(p)
	if p.State == sluice.Done {
		e.Kind = sluice.StepDone
	}
	return []sluice.Event{e}
}

// stripped leaves out the snapshot, which is in the log already.
func stripped(p sluice.Progress) *sluice.Progress {
	p.Snapshot = nil
	return &p
}

// receive records a signal, if it makes sense now.
func (r *runner) receive(ctx context.Context, request signalRequest) error {
	if err := Admit(r.state, request.signal); err != nil {
		request.reply <- err
		return nil
	}
	err := r.append(ctx, []sluice.Event{{Kind: sluice.SignalReceived, Signal: &request.signal}})
	request.reply <- err
	return err
}

// append makes events durable, then part of the state, then visible. While the log cannot be written, the
// deployment stands still: an effect is never followed by another before its outcome is recorded. ctx ends the
// waiting for the log, not the first try.
func (r *runner) append(ctx context.Context, events []sluice.Event) error {
	if len(events) == 0 {
		return nil
	}
	for i := range events {
		events[i].Seq = r.state.Seq + sluice.Seq(i) + 1
		events[i].At = r.engine.now()
	}
	kept := context.WithoutCancel(ctx)
	err := persist(ctx, r.engine, func() error { return r.engine.log.Append(kept, r.state.ID, r.state.Seq, events...) })
	if err != nil {
		return err
	}
	for _, e := range events {
		r.state.Apply(e)
	}
	r.engine.hub.wake(r.state.ID)
	return nil
}
