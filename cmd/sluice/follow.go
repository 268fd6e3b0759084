package main

import (
	"context"
	"fmt"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/bootstrap"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/present"
)

// errDetached and errLeft end the watching, not the deployment.
type errDetached struct{}

func (errDetached) Error() string { return "detached" }

type errLeft struct{}

func (errLeft) Error() string { return "left" }

// A follower watches one deployment through a session, taking over the engine if its owner goes away.
type follower struct {
	app     *app
	session *bootstrap.Session
	config  *config.Config
	state   *engine.State
	view    present.View
	detach  bool // another process is to carry the deployment out
}

// follow returns the outcome, errDetached, or errLeft when ctx was cancelled or a person left.
func (f *follower) follow(ctx context.Context) (sluice.Status, error) {
	for {
		err := f.watch(ctx)
		if f.state.Outcome != "" {
			return f.state.Outcome, nil
		}
		if err != nil && sluice.ErrorCode(err) != sluice.Unavailable {
			return "", err
		}
		if f.session.IsOwner() {
			return "", f.stopped(ctx)
		}
		if err := f.takeOver(ctx); err != nil {
			return "", err
		}
	}
}

// stopped says why the engine of this process let go of the deployment.
func (f *follower) stopped(ctx context.Context) error {
	if !f.session.IsOwner() {
		return sluice.Errorf(sluice.Unavailable, "the engine that carried out deployment %s went away", f.state.ID).WithHint("go on with: sluice run --resume")
	}
	if err := f.session.Wait(ctx, f.state.ID); err != nil {
		return err
	}
	return sluice.Errorf(sluice.Internal, "deployment %s was let go of without a reason", f.state.ID)
}

// takeOver goes on with the deployment after the process that carried it out went away.
func (f *follower) takeOver(ctx context.Context) error {
	old := f.session
	next, err := f.app.open(ctx, f.config, f.detach)
	if err != nil {
		return fmt.Errorf("go on after the engine went away: %w", err)
	}
	f.session = next
	if err := old.Close(); err != nil {
		return err
	}
	return next.Resume(ctx)
}

// watch shows updates until there are no more.
func (f *follower) watch(ctx context.Context) error {
	watching, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go f.obey(watching, stop)
	for u, err := range f.session.Watch(watching, f.state.ID, f.state.Seq) {
		if watching.Err() != nil {
			break // whatever was being read was interrupted
		}
		if err != nil {
			return err
		}
		if u.Event != nil {
			f.state.Apply(*u.Event)
			if err := f.session.StateDir().KeepReport(f.state, *u.Event); err != nil {
				f.app.note("warning: the verification's report was not written: %s", err)
			}
		}
		f.view.Show(f.state, u)
	}
	if ctx.Err() != nil {
		return errLeft{}
	}
	if cause := context.Cause(watching); cause != nil {
		return cause
	}
	return nil
}

// obey does what the person at the view asks for, until watching ends.
func (f *follower) obey(watching context.Context, stop context.CancelCauseFunc) {
	for {
		select {
		case <-watching.Done():
			return
		case c := <-f.view.Choices():
			f.carryOut(watching, c, stop)
		}
	}
}

func (f *follower) carryOut(ctx context.Context, c present.Choice, stop context.CancelCauseFunc) {
	switch c {
	case present.ChoiceDetach:
		stop(errDetached{})
	case present.ChoiceLeave:
		stop(errLeft{})
	default:
		kind := map[present.Choice]string{present.ChoiceCancel: sluice.SignalCancel, present.ChoiceRollBack: sluice.SignalRollBack}[c]
		err := f.session.Signal(ctx, f.state.ID, sluice.Signal{Kind: kind, By: actor()})
		if err != nil && sluice.ErrorCode(err) != sluice.Conflict { // a conflict says that it was told so already
			stop(err)
		}
	}
}
