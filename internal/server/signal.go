package server

import (
	"context"
	"iter"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/engine"
)

// verbs says which verb a signal takes. Callbacks come with their own secret.
var verbs = map[string]access.Verb{
	sluice.SignalApprove:     access.Approve,
	sluice.SignalReject:      access.Approve,
	sluice.SignalRollForward: access.Approve,
	sluice.SignalPromote:     access.Approve,
	sluice.SignalPause:       access.Cancel,
	sluice.SignalContinue:    access.Cancel,
	sluice.SignalCancel:      access.Cancel,
	sluice.SignalRollBack:    access.RollBack,
}

// Signal tells a deployment what the caller decided: see [engine.Engine.Signal]. By becomes the caller; only of a
// caller whose identity the server does not prove, its roles stay. A signal with
// the key of an earlier one of the same caller to the deployment succeeds and does nothing. A signal that is about a
// whole deployment takes the verb on each of its targets.
func (s *Server) Signal(ctx context.Context, c access.Caller, id sluice.DeploymentID, sig sluice.Signal) error {
	verb, ok := verbs[sig.Kind]
	if !ok {
		return sluice.Errorf(sluice.Invalid, "there is no signal %q", sig.Kind).
			WithHint("send approve, reject, rollForward, promote, pause, continue, rollBack or cancel")
	}
	state, err := s.see(ctx, c, id)
	if err != nil {
		return err
	}
	claimed := sig.By.Roles
	if sig.By, sig.Success = c.Actor, false; c.Actor.Identity == "" {
		sig.By.Roles = claimed
	}
	if sig.Request != "" {
		if before, err := s.received(ctx, id, sig); before || err != nil {
			return err
		}
	}
	targets := targetsOf(state.Plan)
	if sig.Step != "" {
		targets = []string{sig.Step.Target()}
	} else if sig.Target != "" {
		targets = []string{sig.Target}
	}
	entry := sluice.AuditEntry{
		Verb: string(verb), Application: state.Plan.Application, Deployment: id, Step: sig.Step, Reason: sig.Reason,
	}
	if err := s.needTargets(ctx, c, entry, targets); err != nil {
		return err
	}
	return s.Engine.Signal(ctx, id, sig)
}

// received reports whether the deployment got the signal of this request before.
func (s *Server) received(ctx context.Context, id sluice.DeploymentID, sig sluice.Signal) (bool, error) {
	same := func(before sluice.Signal) bool {
		return before.Request == sig.Request && before.By.Identity == sig.By.Identity && before.By.Name == sig.By.Name
	}
	for e, err := range s.Store.Read(ctx, id, 0) {
		if err != nil || e.Signal != nil && e.Kind == sluice.SignalReceived && same(*e.Signal) {
			return err == nil, err
		}
	}
	letters, err := s.Store.Letters(ctx, id)
	return slices.ContainsFunc(letters, func(l sluice.Letter) bool { return same(l.Signal) }), err
}

// Watch yields what [engine.Engine.Watch] yields, as the caller may see it, and unless the server is alone goes on when
// another process takes the deployment over.
func (s *Server) Watch(
	ctx context.Context, c access.Caller, id sluice.DeploymentID, after sluice.Seq,
) iter.Seq2[engine.Update, error] {
	return func(yield func(engine.Update, error) bool) {
		v := s.visible(c)
		p, err := v.plan(ctx, id)
		if err != nil {
			yield(engine.Update{}, err)
			return
		}
		for u, err := range s.updates(ctx, id, after) {
			if u.Event != nil {
				e := v.event(p.Application, *u.Event)
				u.Event = &e
			}
			if u.Progress != nil {
				hidden := v.event(p.Application, sluice.Event{Step: u.Step, Progress: u.Progress})
				u.Progress = hidden.Progress
			}
			if !yield(u, err) {
				return
			}
		}
	}
}

// updates yields the updates of the deployment until it has ended or ctx ends, whichever process runs it.
func (s *Server) updates(
	ctx context.Context, id sluice.DeploymentID, after sluice.Seq,
) iter.Seq2[engine.Update, error] {
	return func(yield func(engine.Update, error) bool) {
		for ctx.Err() == nil {
			ended := false
			newest, err := s.Store.Newest(ctx)
			if err != nil {
				yield(engine.Update{}, err)
				return
			}
			for u, err := range s.Engine.Watch(ctx, id, after) {
				if u.Event != nil {
					after, ended = u.Event.Seq, u.Event.Kind == sluice.DeploymentEnded
				}
				if !yield(u, err) || err != nil {
					return
				}
			}
			if ended || s.Alone || !s.changed(ctx, id, newest) {
				return
			}
		}
	}
}

// changed waits until the deployment, which nobody runs, has an event after the cursor. It returns false if ctx ends.
func (s *Server) changed(ctx context.Context, id sluice.DeploymentID, after sluice.Cursor) bool {
	for entry, err := range s.Store.Tail(ctx, after) {
		if err != nil {
			return false
		}
		if entry.Deployment == id {
			return true
		}
	}
	return false
}
