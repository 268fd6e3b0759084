package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/bootstrap"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/present"
	"github.com/sluice-cd/sluice/internal/service"
)

type runOptions struct {
	service.Source
	yes, resume, detach bool
	readyFD             int
	rehearse            rehearse
}

func newRun(a *app) *cobra.Command {
	o := &runOptions{}
	cmd := &cobra.Command{
		Use: "run", Short: "Deploy, and watch the deployment until it ends",
		Long: "Run deploys what a deploy file describes and shows the progress. It needs no server: it keeps its state\n" +
			"in .sluice in the working directory. --resume continues a deployment that was interrupted at any point,\n" +
			"and the undo of one where it failed.\n" +
			"While one sluice runs deployments from a state directory, others hand theirs to it. On a terminal,\n" +
			"Ctrl-C asks whether to detach, cancel or roll back.",
		Example: "  sluice run -f deploy.yaml\n  sluice run -f deploy.yaml --target staging --add-context pr=118\n" +
			"  sluice run -f deploy.yaml --detach\n  sluice run --resume",
		RunE: func(cmd *cobra.Command, _ []string) error { return a.run(cmd.Context(), o) },
	}
	sourceFlags(cmd, &o.Source)
	takeOverFlag(cmd, &o.TakeOver)
	replaceFlag(cmd, &o.Source)
	o.rehearse.flags(cmd)
	f := cmd.Flags()
	f.BoolVarP(&o.yes, "yes", "y", false, "do not ask before something that cannot be undone")
	f.BoolVar(&o.resume, "resume", false,
		"continue interrupted deployments and undos that failed; "+
			"with -f, watch the application's running deployment, or start one")
	f.BoolVarP(&o.detach, "detach", "d", false, "run in the background and return at once")
	f.IntVar(&o.readyFD, "ready-fd", 0, "")
	_ = f.MarkHidden("ready-fd") // the flag exists
	return cmd
}

func (a *app) run(ctx context.Context, o *runOptions) error {
	if err := o.rehearse.check(); err != nil {
		return err
	}
	if a.remote != nil && !o.rehearse.local {
		return a.runRemote(ctx, o)
	}
	c, err := a.configuration(o.File)
	if err != nil {
		return err
	}
	if o.resume && o.File == "" {
		if len(o.TakeOver) > 0 || o.Replace != "" {
			return sluice.Errorf(sluice.Invalid, "--take-over and --replace cannot be added to a resumed deployment").
				WithHint("leave them out: it uses what it was started with")
		}
		return a.resume(ctx, c, o)
	}
	p, err := o.rehearse.compile(ctx, a, c, o.Source)
	if err != nil {
		return err
	}
	if err := bootstrap.CheckMachine(p, c); err != nil {
		return err
	}
	if err := service.CheckConfigured(p, c); err != nil {
		return err
	}
	if o.resume {
		id, err := a.unended(ctx, p)
		if err != nil {
			return err
		}
		if id != "" {
			return a.carry(ctx, c, o, func(*follower) (sluice.DeploymentID, error) { return id, nil })
		}
	}
	if err := a.checkRights(ctx, c, p); err != nil {
		return err
	}
	if err := a.confirmPlan(ctx, p, o.yes); err != nil {
		return err
	}
	return a.start(ctx, c, o, p)
}

// unended returns the deployment that a run with --resume continues, "" if it starts a new one.
func (a *app) unended(ctx context.Context, p *sluice.Plan) (id sluice.DeploymentID, err error) {
	err = a.reading(ctx, func(store sluice.Store) error {
		d, found, err := service.Unended(ctx, store, p.Application)
		if err != nil || found {
			id = d.ID
			return err
		}
		return service.CheckOvertaken(ctx, store, p)
	})
	if sluice.ErrorCode(err) == sluice.NotFound { // nothing was deployed from here yet
		return "", nil
	}
	return id, err
}

// start begins a deployment of the plan and watches it.
func (a *app) start(ctx context.Context, c *config.Config, o *runOptions, p *sluice.Plan) error {
	return a.carry(ctx, c, o, func(f *follower) (sluice.DeploymentID, error) {
		id, err := f.begin(ctx, p)
		if err == nil && p.Enqueue {
			a.noteQueue(ctx, p, id)
		}
		return id, err
	})
}

// begin starts the deployment. If the engine of another process ends at that moment, this process takes over.
func (f *follower) begin(ctx context.Context, p *sluice.Plan) (id sluice.DeploymentID, err error) {
	for {
		asked := time.Now()
		id, err := f.session.Start(ctx, p, actor())
		if sluice.ErrorCode(err) == sluice.Conflict && sluice.ErrorHint(err) == "" {
			return "", sluice.Errorf(sluice.Conflict, "%w", err).
				WithHint("see it with: sluice status; continue it: sluice run --resume; end it: sluice cancel")
		}
		if sluice.ErrorCode(err) != sluice.Unavailable || f.session.IsOwner() {
			return id, err
		}
		if err := f.takeOver(ctx); err != nil {
			return "", err
		}
		err = f.app.reading(ctx, func(store sluice.Store) (err error) {
			id, err = service.Begun(ctx, store, p, asked)
			return err
		})
		if err != nil || id != "" {
			return id, err
		}
	}
}

// noteQueue says which deployment a queued one waits for.
func (a *app) noteQueue(ctx context.Context, p *sluice.Plan, id sluice.DeploymentID) {
	_ = a.reading(ctx, func(store sluice.Store) error { // sluice status says it too
		d, found, err := service.Unended(ctx, store, p.Application)
		if err == nil && found && d.ID != id {
			a.note("deployment %s of %s runs; this one starts when it has ended", d.ID, d.Application)
		}
		return err
	})
}

// checkRights rejects a plan that would fail in the middle because a right is missing. An account that cannot be asked
// now is no reason to reject it: the deployment itself tries again.
func (a *app) checkRights(ctx context.Context, c *config.Config, p *sluice.Plan) (err error) {
	if p.Rehearsal != nil {
		return nil
	}
	w := bootstrap.NewWiring(a.dir, c)
	defer func() { err = errors.Join(err, w.Close()) }()
	accounts, err := w.Clusters(ctx, p)
	if err != nil {
		return err
	}
	list, err := service.MissingRights(ctx, p, accounts)
	if sluice.ErrorCode(err) == sluice.Unavailable {
		a.note("warning: %v", err)
		return nil
	}
	if err != nil {
		return err
	}
	needed, dispensable := service.SplitRights(list)
	if len(needed) == 0 && len(dispensable) > 0 {
		a.note("warning: rights are missing without which errors say less, and broken pods are not replaced; " +
			"see them with: sluice plan")
	}
	if len(needed) == 0 {
		return nil
	}
	if err := present.MissingRights(a.err, needed); err != nil {
		return err
	}
	return service.Denied(needed)
}

func (a *app) confirmPlan(ctx context.Context, p *sluice.Plan, yes bool) error {
	list := service.Irreversible(p)
	if yes || !a.terminal || p.Rehearsal != nil || len(list) == 0 {
		return nil
	}
	for _, sentence := range list {
		present.Printf(a.err, "%s\n", sentence)
	}
	return a.confirm(ctx, "Start the deployment?", false)
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
