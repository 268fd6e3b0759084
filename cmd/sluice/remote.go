package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/api"
	"github.com/sluice-cd/sluice/internal/bootstrap"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/present"
	"github.com/sluice-cd/sluice/internal/service"
)

// hereOnly is the annotation of a command that works on this machine only, and remoteOnly that of one that needs a
// server. Without either, --server says where a command works.
const (
	hereOnly   = "hereOnly"
	remoteOnly = "remoteOnly"
)

// connect chooses the server that the command works on, if it is one that can.
func (a *app) connect(cmd *cobra.Command) (err error) {
	for c := cmd; c != nil; c = c.Parent() {
		if _, here := c.Annotations[hereOnly]; !here {
			continue
		}
		if cmd.Flags().Changed("server") {
			return sluice.Errorf(sluice.Unsupported, "%s works on this machine only", cmd.CommandPath()).
				WithHint("leave out --server")
		}
		return nil
	}
	_, needed := cmd.Annotations[remoteOnly]
	if needed && a.server == "" {
		return sluice.Errorf(sluice.Invalid, "%s needs a server", cmd.CommandPath()).
			WithHint("add --server https://sluice.example.com, or set SLUICE_SERVER")
	}
	if a.server == "" {
		return nil
	}
	for _, flag := range []string{"state", "config"} {
		if !cmd.Flags().Changed(flag) {
			continue
		}
		if cmd.Flags().Changed("server") {
			return sluice.Errorf(sluice.Invalid, "--%s and --server exclude each other", flag).
				WithHint("leave out one of them")
		}
		if needed {
			return sluice.Errorf(sluice.Invalid, "%s works on a server, so it takes no --%s", cmd.CommandPath(), flag).
				WithHint("leave out --%s", flag)
		}
		return nil // what was typed wins over the environment
	}
	credentials, err := bootstrap.Credentials(a.redactor)
	if err != nil {
		return err
	}
	a.remote, err = bootstrap.Connect(a.server, credentials)
	return err
}

// only marks a command as one that works on this machine only.
func only(where string, cmd *cobra.Command) *cobra.Command {
	if cmd.Annotations == nil {
		cmd.Annotations = map[string]string{}
	}
	cmd.Annotations[where] = "true"
	return cmd
}

// updates yields the updates of a deployment until it has ended.
func (a *app) updates(
	ctx context.Context, id sluice.DeploymentID, after sluice.Seq,
) iter.Seq2[engine.Update, error] {
	if a.remote != nil {
		return a.remote.Watch(ctx, id, after)
	}
	return a.dir.Watch(ctx, id, after, a.alone(id))
}

// signal sends a signal to a deployment: see [bootstrap.StateDir.Signal].
func (a *app) signal(ctx context.Context, id sluice.DeploymentID, sig sluice.Signal) (recorded bool, err error) {
	if a.remote != nil {
		return false, a.remote.Signal(ctx, id, sig)
	}
	return a.dir.Signal(ctx, id, sig)
}

// pack returns the bundle of the source, or what is wrong with it.
func (a *app) pack(ctx context.Context, s service.Source) (service.Bundle, error) {
	return service.Pack(ctx, s, service.Surroundings{Secret: a.redactor.Learn}, true)
}

// placed returns the error of a server with the places of its findings as this command line names the files.
func placed(s service.Source, err error) error {
	ds, ok := errors.AsType[sluice.Diagnostics](err)
	if !ok {
		return err
	}
	return here(s, ds)
}

// here returns the findings with their places as this command line names the files.
func here(s service.Source, ds sluice.Diagnostics) sluice.Diagnostics {
	root := s.Root
	if root == "" {
		root = filepath.Dir(s.File)
	}
	all := make(sluice.Diagnostics, len(ds))
	for i, d := range ds {
		if d.Pos.File != "" {
			d.Pos.File = filepath.Join(root, filepath.FromSlash(d.Pos.File))
		}
		all[i] = d
	}
	return all
}

// runRemote deploys through the server and watches the deployment until it ends.
func (a *app) runRemote(ctx context.Context, o *runOptions) error {
	if o.File == "" && o.resume {
		return a.resumeRemote(ctx, o)
	}
	b, err := a.pack(ctx, o.Source)
	if err != nil {
		return err
	}
	if o.resume || !o.yes && a.terminal {
		planned, err := a.remote.Plan(ctx, b, true)
		if err != nil {
			return placed(o.Source, err)
		}
		if id, err := a.unended(ctx, planned.Plan); o.resume && (id != "" || err != nil) {
			return errors.Join(err, a.followRemote(ctx, id, o.detach))
		}
		if err := a.confirmPlan(ctx, planned.Plan, o.yes); err != nil {
			return err
		}
	}
	return a.carryRemote(ctx, o, func() (api.Started, error) {
		started, err := a.remote.Deploy(ctx, b)
		present.Findings(a.err, here(o.Source, started.Warnings))
		return started, placed(o.Source, err)
	})
}

// resumeRemote goes on with the undos that failed on the server, and watches them and everything that has not ended.
// The server itself continues what was interrupted.
func (a *app) resumeRemote(ctx context.Context, o *runOptions) error {
	list, failed, err := a.unfinished(ctx, o)
	if err != nil {
		return err
	}
	for _, id := range failed {
		if err := a.remote.Reopen(ctx, id, ""); err != nil {
			return err
		}
		list = append(list, id)
	}
	a.follows.Store(true)
	switch {
	case len(list) == 0:
		a.note("there is nothing to resume")
		return nil
	case o.detach || len(list) == 1:
		return a.followRemote(ctx, list[0], o.detach)
	}
	followers, err := a.watchAll(ctx, list, follower{app: a, updates: a.updates})
	if err != nil && ctx.Err() == nil {
		return err
	}
	worst, open, err := a.summarizeAll(followers)
	if err != nil {
		return err
	}
	if open != nil {
		return a.goesOn(open.state.ID)
	}
	return endedWith(worst)
}

// goesOn is the error of a command that leaves a deployment to the server.
func (a *app) goesOn(id sluice.DeploymentID) error {
	message := fmt.Sprintf("deployment %s continues on the server", id)
	return unfinished{message, "watch it with: sluice watch " + string(id)}
}

// carryRemote calls begin, which starts a deployment on the server, and watches the deployment until it ends.
func (a *app) carryRemote(ctx context.Context, o *runOptions, begin func() (api.Started, error)) error {
	a.follows.Store(true)
	started, err := begin()
	if err != nil {
		return err
	}
	a.noteTurn(ctx, started.ID)
	return a.followRemote(ctx, started.ID, o.detach)
}

// noteTurn says which deployment a queued one waits for.
func (a *app) noteTurn(ctx context.Context, id sluice.DeploymentID) {
	for e, err := range a.remote.Reader().Read(ctx, id, 0) {
		if err == nil && e.Kind == sluice.DeploymentQueued {
			a.noteQueue(ctx, e.Plan, id)
		}
		return
	}
}

// followRemote watches a deployment of the server. To leave it harms nothing.
func (a *app) followRemote(ctx context.Context, id sluice.DeploymentID, detach bool) error {
	f := &follower{app: a, state: &engine.State{ID: id}, updates: a.updates}
	if detach {
		return a.detachedRemote(id)
	}
	f.view = a.newView(false)
	err := errors.Join(f.watch(ctx), f.view.Close())
	switch {
	case errors.Is(err, errDetached):
		return a.detachedRemote(id)
	case errors.Is(err, errLeft):
		if err := a.summarize(f.state); err != nil {
			return err
		}
		return a.goesOn(id)
	case err != nil:
		return err
	}
	if err := a.summarize(f.state); err != nil {
		return err
	}
	if f.state.Outcome == "" {
		return sluice.Errorf(sluice.Unavailable, "the server no longer tells how deployment %s goes on", id).
			WithHint("watch it with: sluice watch %s", id)
	}
	return endedWith(endStatus(f.state))
}

func (a *app) detachedRemote(id sluice.DeploymentID) error {
	if a.json() {
		return present.JSON(a.out, "Detached", detachedOutput{id})
	}
	return present.Printf(a.out, "deployment %s continues on the server; see it with: sluice status %[1]s\n", id)
}
