package engine

import (
	"context"
	"time"

	"github.com/sluice-cd/sluice"
)

// glance is how often a process that waits for another one checks whether that one still runs: its death causes no
// event.
const glance = time.Second

// Signal sends a signal to a deployment, whichever process runs it, and returns once it was applied or refused. If no
// process runs the deployment, it returns once the signal is durable; the signal is applied when the deployment is
// resumed. If ctx ends first, it may still be applied. NotFound: there is no such deployment or step; Conflict: it has
// ended, the step does not wait for this, or it got this signal before; Denied: the step requires a role that the actor
// lacks.
func (e *Engine) Signal(ctx context.Context, id sluice.DeploymentID, sig sluice.Signal) error {
	if r := e.runner(id); r != nil { // it records the signal at once, without a letter
		said := said{sig, make(chan error, 1)}
		select {
		case r.said <- said:
			select {
			case err := <-said.answer:
				return err
			case <-ctx.Done(): // while the log cannot be written, the answer may take long
				return ctx.Err()
			}
		case <-r.ended:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	_, err := Tell(ctx, e.config.Store, id, sig)
	return err
}

// A said is a signal to a runner of this process.
type said struct {
	signal sluice.Signal
	answer chan error // holds one
}

// hear records a signal of this process, or refuses it.
func (r *runner) hear(ctx context.Context, s said) error {
	if refusal := Admit(r.state, s.signal); refusal != nil {
		s.answer <- refusal
		return nil
	}
	err := r.append(ctx, []sluice.Event{{Kind: sluice.SignalReceived, Signal: &s.signal}})
	s.answer <- err
	return err
}

// Tell is Signal for a process without an engine. It reports false if the signal was recorded but no process runs the
// deployment. The signals that wait in the inbox count as applied, so that no signal is sent twice meanwhile.
func Tell(
	ctx context.Context, store sluice.Store, id sluice.DeploymentID, sig sluice.Signal,
) (answered bool, err error) {
	state, err := Fold(id, store.Read(ctx, id, 0))
	if err != nil {
		return false, err
	}
	letters, err := store.Letters(ctx, id)
	if err != nil {
		return false, err
	}
	for _, l := range letters {
		if Admit(state, l.Signal) == nil {
			state.Apply(sluice.Event{Seq: state.Seq, Kind: sluice.SignalReceived, Signal: &l.Signal})
		}
	}
	if err := Admit(state, sig); err != nil {
		return false, err
	}
	return post(ctx, store, id, sig)
}

// post sends the signal and waits for the answer as long as a process runs the deployment.
func post(
	ctx context.Context, store sluice.Store, id sluice.DeploymentID, sig sluice.Signal,
) (answered bool, err error) {
	letter, err := store.Send(ctx, id, sig)
	if err != nil {
		return false, err
	}
	for {
		leased, err := store.Leased(ctx, id)
		if err != nil {
			return false, err
		}
		wait := glance
		if !leased {
			wait = 0 // the process that ran it may have answered before it stopped
		}
		waiting, cancel := context.WithTimeout(ctx, wait)
		answer, err := store.Answer(waiting, letter)
		cancel()
		switch refusal := answer.Refusal; {
		case err != nil:
			return false, err
		case refusal != nil:
			return true, &sluice.Error{Code: refusal.Code, Message: refusal.Message, Hint: refusal.Hint}
		case answer.Settled:
			return true, nil
		case ctx.Err() != nil:
			return false, ctx.Err()
		case !leased:
			state, err := Fold(id, store.Read(ctx, id, 0))
			if err != nil || state.Outcome == "" {
				return false, err
			}
			// it came just before the end, and nobody is left who would refuse it
			if err := store.Refuse(ctx, letter, *recorded(ended(state), nil)); err != nil {
				return false, err
			}
		}
	}
}

// deliver wakes the runners that have letters.
func (e *Engine) deliver(ctx context.Context) error {
	for id, err := range e.config.Store.Arrivals(ctx) {
		if err != nil {
			return err
		}
		if r := e.runner(id); r != nil {
			r.mail.ring()
		}
	}
	return nil
}

// receive records the signals in the deployment's inbox, and refuses those that do not fit its state.
func (r *runner) receive(ctx context.Context) error {
	var letters []sluice.Letter
	err := r.engine.persist(ctx, func() (err error) {
		letters, err = r.engine.config.Store.Letters(ctx, r.state.ID)
		return err
	})
	for _, l := range letters {
		if err != nil {
			return err
		}
		if refusal := Admit(r.state, l.Signal); refusal != nil {
			err = r.engine.persist(ctx, func() error { return r.engine.config.Store.Refuse(ctx, l.ID, *recorded(refusal, nil)) })
		} else {
			err = r.append(ctx, []sluice.Event{{Kind: sluice.SignalReceived, Signal: &l.Signal, Letter: l.ID}})
		}
	}
	return err
}
