package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"os"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/bootstrap"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/present"
	"github.com/sluice-cd/sluice/internal/service"
)

// These errors end watching, not the deployment.
var errDetached, errLeft = errors.New("detached"), errors.New("left")

// A follower watches one deployment through a session. If the process with the engine goes away, it takes over.
type follower struct {
	app     *app
	session *bootstrap.Session // nil on a server
	config  *config.Config
	state   *engine.State
	view    present.View
	detach  bool // another process will run the deployment
	// updates are those of the deployment; nil: those of the session.
	updates func(context.Context, sluice.DeploymentID, sluice.Seq) iter.Seq2[engine.Update, error]
}

// carry connects to the engine, calls begin, which starts or finds a deployment, and watches the deployment until it
// ends.
func (a *app) carry(
	ctx context.Context, c *config.Config, o *runOptions, begin func(*follower) (sluice.DeploymentID, error),
) error {
	s, err := a.open(ctx, c, o.detach)
	if err != nil {
		return err
	}
	f := &follower{app: a, session: s, config: c, detach: o.detach}
	defer func() { _ = f.session.Close() }() // closed before, where its error matters
	id, err := begin(f)
	if err != nil {
		return err
	}
	f.state = &engine.State{ID: id}
	if o.detach {
		return a.detach(ctx, f)
	}
	if err := f.session.Resume(ctx); err != nil {
		return err
	}
	f.view = a.newView(false)
	return a.conclude(ctx, f, errors.Join(f.follow(ctx), f.view.Close()))
}

// newView returns the view of one deployment. watches is that of [present.NewLiveView].
func (a *app) newView(watches bool) present.View {
	if a.terminal && !a.json() && os.Getenv("TERM") != "dumb" {
		return present.NewLiveView(a.in, a.out, a.styles, watches)
	}
	return a.lineView(a.out, false)
}

// lineView returns a view that writes lines. named is that of [present.NewPlainView].
func (a *app) lineView(out io.Writer, named bool) present.View {
	if a.json() {
		return present.NewJSONView(out)
	}
	return present.NewPlainView(out, named)
}

// conclude prints the summary of a deployment that ended, or how to continue one that was left.
func (a *app) conclude(ctx context.Context, f *follower, err error) error {
	if errors.Is(err, errDetached) {
		return a.detach(ctx, f)
	}
	if errors.Is(err, errLeft) {
		return a.left(f.session, f)
	}
	if err != nil {
		return err
	}
	if err := a.summarize(f.state); err != nil {
		return err
	}
	if err := a.finish(ctx, f.session, f.config); err != nil {
		return err
	}
	return endedWith(endStatus(f.state))
}

// summarize says how a deployment ended, or how it stands when Sluice leaves it, unless nothing of it was read yet.
func (a *app) summarize(s *engine.State) error {
	if s.Plan == nil {
		return nil
	}
	if a.json() {
		status := exitUnfinished
		if s.Outcome != "" {
			status = endStatus(s)
		}
		return present.NewJSONView(a.out).Outcome(s, status)
	}
	present.Printf(a.out, "\n")
	m := a.summary(s)
	m.Unfinished, m.Told = s.CanReopen(), !a.terminal
	m.Print()
	return nil
}

func (a *app) summary(s *engine.State) present.Summary {
	report := func(step sluice.StepID) string { return a.dir.Report(s.ID, step) }
	if a.remote != nil {
		report = func(step sluice.StepID) string {
			return fmt.Sprintf("%s/deployments/%s?step=%s", a.remote.Address(), s.ID, url.QueryEscape(string(step)))
		}
	}
	return present.Summary{Out: a.out, State: s, Report: report, Styles: a.styles}
}

// finish closes the session. Deployments that other commands handed to this process continue in the background.
func (a *app) finish(ctx context.Context, s *bootstrap.Session, c *config.Config) error {
	unended, err := s.Finish(ctx)
	if err != nil || len(unended) == 0 {
		return err
	}
	if err := a.background(ctx, c.File); err != nil {
		return err
	}
	a.note("%s of other commands: now running in the background", present.Plural(len(unended), "deployment"))
	return nil
}

// left stops watching, and stops the engine of this process. It says how the deployments stand.
func (a *app) left(s *bootstrap.Session, followers ...*follower) error {
	own := s.IsOwner()
	if err := s.Close(); err != nil {
		return err
	}
	for _, f := range followers {
		if err := a.summarize(f.state); err != nil {
			return err
		}
	}
	id := followers[0].state.ID
	if own {
		return unfinished{fmt.Sprintf("deployment %s is interrupted", id), "resume with: sluice run --resume"}
	}
	return unfinished{
		fmt.Sprintf("deployment %s continues in another process", id), "see it with: sluice status " + string(id),
	}
}

// follow returns when the deployment has ended. It returns errDetached or errLeft if the person at the view leaves, and
// errLeft if ctx is cancelled.
func (f *follower) follow(ctx context.Context) error {
	for {
		f.session.StopAfter(f.state.ID)
		err := f.watch(ctx)
		if f.state.Outcome != "" {
			return nil
		}
		if err != nil && sluice.ErrorCode(err) != sluice.Unavailable {
			return err
		}
		if f.session.IsOwner() {
			return f.stopped(ctx)
		}
		if err := f.takeOver(ctx); err != nil {
			return err
		}
	}
}

// stopped says why the engine stopped working on the deployment.
func (f *follower) stopped(ctx context.Context) error {
	if !f.session.IsOwner() {
		return sluice.Errorf(sluice.Unavailable, "the engine that ran deployment %s went away", f.state.ID).
			WithHint("resume with: sluice run --resume")
	}
	if err := f.session.Wait(ctx, f.state.ID); err != nil {
		return err
	}
	return sluice.Errorf(sluice.Internal, "the engine stopped working on deployment %s without a reason", f.state.ID)
}

// takeOver opens a new session after the process with the engine went away.
func (f *follower) takeOver(ctx context.Context) error {
	old := f.session
	next, err := f.app.open(ctx, f.config, f.detach)
	if err != nil {
		return fmt.Errorf("continue after the engine went away: %w", err)
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
	updates := f.updates
	if updates == nil {
		updates = f.session.Watch
	}
	for u, err := range updates(watching, f.state.ID, f.state.Seq) {
		if watching.Err() != nil {
			break // the reading was interrupted
		}
		if err != nil {
			return err
		}
		if u.Event != nil {
			f.state.Apply(*u.Event)
			f.app.keepReport(f.state, *u.Event)
		}
		f.view.Show(f.state, u)
	}
	if ctx.Err() != nil {
		return errLeft
	}
	if cause := context.Cause(watching); cause != nil {
		return cause
	}
	return nil
}

// keepReport writes the verification that the event ends into a file, unless a server keeps it.
func (a *app) keepReport(s *engine.State, e sluice.Event) {
	if a.remote != nil {
		return
	}
	if err := a.dir.KeepReport(s, e); err != nil {
		a.note("warning: the verification's report was not written: %s", err)
	}
}

// obey does what the person at the view chooses until watching ends.
func (f *follower) obey(watching context.Context, stop context.CancelCauseFunc) {
	for {
		select {
		case <-watching.Done():
			return
		case c := <-f.view.Choices():
			if err := f.choose(watching, c); err != nil {
				stop(err)
			}
		}
	}
}

func (f *follower) choose(ctx context.Context, c present.Choice) error {
	kind := sluice.SignalCancel
	switch c {
	case present.ChoiceApprove:
		f.approve(ctx)
		return nil
	case present.ChoiceDetach:
		return errDetached
	case present.ChoiceLeave:
		return errLeft
	case present.ChoiceRollBack:
		kind = sluice.SignalRollBack
	}
	_, err := f.app.signal(ctx, f.state.ID, sluice.Signal{Kind: kind, By: actor()})
	if sluice.ErrorCode(err) == sluice.Conflict { // the signal was already sent
		return nil
	}
	return err
}

// approve lets the step go on that waits. The view goes on to show what it waits for if that fails.
func (f *follower) approve(ctx context.Context) {
	d := service.Decision{Deployment: string(f.state.ID), Kinds: approvals, By: actor()}
	_ = f.app.reading(ctx, func(store sluice.Store) error {
		id, sig, err := service.Decide(ctx, store, d)
		if err == nil {
			_, err = f.app.signal(ctx, id, sig)
		}
		return err
	})
}
