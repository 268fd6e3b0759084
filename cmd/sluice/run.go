package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/service"
)

type runOptions struct {
	source
	yes, resume, detach bool
	enqueue             bool // the deploy file's own: wait for the application's running deployment
	readyFD             int
	rehearse            rehearse
}

func newRun(a *app) *cobra.Command {
	o := &runOptions{}
	cmd := &cobra.Command{
		Use: "run", Short: "Deploy, and watch it to its end",
		Long: "Run carries out a deploy file and shows how far it is. No server is needed: the state is kept in .sluice in the working\n" +
			"directory, and a deployment that was interrupted at any point goes on with --resume. While one sluice carries out\n" +
			"deployments here, others hand theirs to it. On a terminal Ctrl-C asks whether to detach, cancel or roll back.",
		Example: "  sluice run -f deploy.yaml\n  sluice run -f deploy.yaml --target staging --add-context pr=118\n" +
			"  sluice run -f deploy.yaml --detach\n  sluice run --resume",
		RunE: func(cmd *cobra.Command, _ []string) error { return a.run(cmd.Context(), o) },
	}
	o.flags(cmd)
	o.rehearse.flags(cmd)
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "do not ask before what cannot be undone")
	cmd.Flags().BoolVar(&o.resume, "resume", false, "go on with what was interrupted; with -f, watch that application's deployment, or start one")
	cmd.Flags().BoolVarP(&o.detach, "detach", "d", false, "carry it out in the background and return at once")
	cmd.Flags().IntVar(&o.readyFD, "ready-fd", 0, "")
	_ = cmd.Flags().MarkHidden("ready-fd") // the flag exists
	return cmd
}

func (a *app) run(ctx context.Context, o *runOptions) error {
	if err := o.rehearse.check(); err != nil {
		return err
	}
	c, err := a.configuration(o.file)
	if err != nil {
		return err
	}
	if o.resume && o.file == "" {
		return a.resume(ctx, c, o)
	}
	p, err := a.compile(ctx, o, c)
	if err != nil {
		return err
	}
	if o.resume {
		d, found, err := a.unended(ctx, p.Application)
		if err != nil {
			return err
		}
		if found {
			return a.carry(ctx, c, o, func(*follower) (sluice.DeploymentID, error) { return d.ID, nil })
		}
	}
	if err := a.checkRights(ctx, c, p); err != nil {
		return err
	}
	if err := a.confirmPlan(p, o.yes); err != nil {
		return err
	}
	return a.start(ctx, c, o, p)
}

// start begins a deployment of the plan and watches it.
func (a *app) start(ctx context.Context, c *config.Config, o *runOptions, p *sluice.Plan) error {
	return a.carry(ctx, c, o, func(f *follower) (sluice.DeploymentID, error) { return f.begin(ctx, p, o.enqueue) })
}

// begin starts the deployment, at another engine if this one stops just now, and after the application's running
// deployment where the deploy file asks for that.
func (f *follower) begin(ctx context.Context, p *sluice.Plan, enqueue bool) (sluice.DeploymentID, error) {
	for {
		asked := time.Now()
		id, err := f.submit(ctx, p)
		code := sluice.ErrorCode(err)
		switch {
		case code == sluice.Unavailable && f.session.own == nil:
			if err = f.takeOver(ctx); err == nil {
				id, err = f.begun(ctx, p, asked)
			}
			if err != nil || id != "" {
				return id, err
			}
		case code == sluice.Conflict && enqueue:
			err = f.app.awaitTurn(ctx, f.session, p.Application)
		case code == sluice.Conflict && sluice.ErrorHint(err) == "":
			return "", sluice.Errorf(sluice.Conflict, "%w", err).
				WithHint("see it with: sluice status; go on with it: sluice run --resume; end it: sluice cancel")
		default:
			return id, err
		}
		if err != nil {
			return "", err
		}
	}
}

// begun returns the deployment of the plan that was recorded although the answer was lost, "" if there is none.
func (f *follower) begun(ctx context.Context, p *sluice.Plan, asked time.Time) (sluice.DeploymentID, error) {
	d, found, err := f.app.unended(ctx, p.Application)
	if err != nil || !found || d.StartedAt.Before(asked) {
		return "", err
	}
	state, err := f.app.findRunning(ctx, string(d.ID))
	if err != nil || state.Plan.Digest != p.Digest {
		return "", err
	}
	return d.ID, nil
}

// awaitTurn returns when the application's running deployment has ended. One that was interrupted is gone on with.
func (a *app) awaitTurn(ctx context.Context, s *session, application string) error {
	d, found, err := a.unended(ctx, application)
	if err != nil || !found {
		return err
	}
	if s.own != nil {
		if err := s.own.engine.Resume(ctx); err != nil {
			return err
		}
	}
	a.note("deployment %s of %s runs; this one starts when it has ended", d.ID, application)
	for _, err := range s.Watch(ctx, d.ID, 0) {
		if err != nil && sluice.ErrorCode(err) != sluice.Unavailable { // whoever carried it out may have ended with it
			return err
		}
	}
	return ctx.Err()
}

func (a *app) compile(ctx context.Context, o *runOptions, c *config.Config) (*sluice.Plan, error) {
	dir, err := a.stateDir()
	if err != nil {
		return nil, err
	}
	key, err := dir.key()
	if err != nil {
		return nil, err
	}
	if !o.rehearse.local { // a rehearsal stands for accounts that may have a mesh
		o.source.local = localAccounts(c)
	}
	if store, err := dir.read(ctx); err == nil {
		defer store.Close()
		o.source.history = store
	}
	p, spec, ds, err := o.source.compile(ctx, key)
	if err != nil {
		return nil, err
	}
	if ds.HasErrors() {
		return nil, ds
	}
	a.findings(ds)
	o.enqueue = spec.Config.InProgress == "enqueueOne"
	if o.rehearse.local {
		return o.rehearse.plan(p, c)
	}
	return p, checkAccounts(p, c)
}

func (a *app) confirmPlan(p *sluice.Plan, yes bool) error {
	if yes || !a.terminal || p.Rehearsal != nil {
		return nil
	}
	any := false
	for _, t := range p.Targets {
		for _, sentence := range t.Irreversible {
			any = true
			fmt.Fprintf(a.err, "%s: %s\n", t.Name, sentence)
		}
	}
	if !any {
		return nil
	}
	return a.confirm("Start the deployment?", false)
}

// unended returns the application's deployment that has not ended.
func (a *app) unended(ctx context.Context, application string) (d sluice.Deployment, found bool, err error) {
	err = a.reading(ctx, func(store sluice.Store) error {
		list, err := store.Deployments(ctx, application)
		for _, each := range list {
			if service.IsRunning(each) {
				d, found = each, true
			}
		}
		return err
	})
	if sluice.ErrorCode(err) == sluice.NotFound {
		return d, false, nil
	}
	return d, found, err
}

// carry reaches the engine, begins a deployment or finds one, and watches it to its end.
func (a *app) carry(ctx context.Context, c *config.Config, o *runOptions, begin func(*follower) (sluice.DeploymentID, error)) error {
	s, err := a.open(ctx, c)
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
	if own := f.session.own; own != nil {
		if err := own.engine.Resume(ctx); err != nil {
			return err
		}
	}
	f.view = a.newView()
	_, err = f.follow(ctx)
	return a.conclude(ctx, f, errors.Join(err, f.view.Close()))
}

func (a *app) newView() view {
	switch {
	case a.json():
		return newJSONView(a.out)
	case a.terminal:
		return newLiveView(a)
	}
	return newPlainView(a.out)
}

// conclude ends the watching of a deployment: with its summary, or with how to go on.
func (a *app) conclude(ctx context.Context, f *follower, err error) error {
	if _, ok := errors.AsType[errDetached](err); ok {
		return a.detach(ctx, f)
	}
	if _, ok := errors.AsType[errLeft](err); ok {
		return a.left(f)
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
	if f.state.Outcome == sluice.StatusSucceeded {
		return nil
	}
	return ended{f.state.Outcome}
}

func (a *app) summarize(s *engine.State) error {
	if a.json() {
		return newJSONView(a.out).outcome(s)
	}
	dir, err := a.stateDir()
	if err != nil {
		return err
	}
	fmt.Fprintln(a.out)
	summary{out: a.out, state: s, dir: dir, styles: a.styles}.print()
	return nil
}

// finish lets go of the engine. What other commands handed to this process goes on in the background.
func (a *app) finish(ctx context.Context, s *session, c *config.Config) error {
	if s.own == nil {
		return s.Close()
	}
	s.own.server.Refuse()
	unended, err := s.own.store.Unended(ctx)
	if err := errors.Join(err, s.Close()); err != nil {
		return err
	}
	if len(unended) == 0 {
		return nil
	}
	if err := a.background(ctx, c.File); err != nil {
		return err
	}
	a.note("%s of other applications: carried out in the background from now on", plural(len(unended), "deployment"))
	return nil
}

// left stops watching, and stops the engine if it is ours.
func (a *app) left(f *follower) error {
	own := f.session.own != nil
	if err := f.session.Close(); err != nil {
		return err
	}
	if own {
		return unfinished{fmt.Sprintf("stopped; deployment %s stands where it is", f.state.ID), "go on with: sluice run --resume"}
	}
	return unfinished{fmt.Sprintf("deployment %s goes on in another process", f.state.ID), "see it with: sluice status " + string(f.state.ID)}
}

// ready tells the process that started this one in the background that the engine runs.
func ready(fd int) error {
	if fd == 0 {
		return nil
	}
	pipe := os.NewFile(uintptr(fd), "ready")
	_, err := pipe.Write([]byte{1})
	return errors.Join(err, pipe.Close())
}
