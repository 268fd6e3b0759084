package bootstrap

import (
	"context"
	"iter"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

// Watch yields the deployment's events after the one numbered after, then new ones as they are recorded, until the last
// event is DeploymentEnded or ctx ends. Live progress comes between them while a process runs the deployment. Watch
// never runs it: alone is called whenever Watch begins to wait and no process runs it.
func (d StateDir) Watch(
	ctx context.Context, id sluice.DeploymentID, after sluice.Seq, alone func(),
) iter.Seq2[engine.Update, error] {
	return func(yield func(engine.Update, error) bool) {
		store, err := d.Read(ctx)
		if err != nil {
			yield(engine.Update{}, err)
			return
		}
		defer store.Close()
		w := watch{dir: d, store: store, id: id, after: after, alone: alone, yield: yield}
		for w.live(ctx) && w.recorded(ctx) {
		}
	}
}

// A watch reads from the process that runs the deployment, and from the store while there is none. Its methods return
// false when there is no more to yield.
type watch struct {
	dir   StateDir
	store sluice.Store
	id    sluice.DeploymentID
	after sluice.Seq
	alone func()
	yield func(engine.Update, error) bool
}

// show yields an update.
func (w *watch) show(u engine.Update) bool {
	if !w.yield(u, nil) {
		return false
	}
	if u.Event == nil {
		return true
	}
	w.after = u.Event.Seq
	return u.Event.Kind != sluice.DeploymentEnded
}

// live yields what another process shows, until that process no longer runs the deployment.
func (w *watch) live(ctx context.Context) bool {
	client, err := w.dir.Control(ctx, sluice.Actor{})
	if err != nil {
		return ctx.Err() == nil
	}
	defer client.Close()
	for u, err := range client.Watch(ctx, w.id, w.after) {
		if err != nil {
			break // the process went away; the store has everything that it recorded
		}
		if !w.show(u) {
			return false
		}
	}
	return ctx.Err() == nil
}

// recorded yields what is in the store, and waits for the next event if that is nothing new.
func (w *watch) recorded(ctx context.Context) bool {
	newest, err := w.store.Newest(ctx)
	if err != nil {
		return w.fails(err)
	}
	fresh := false
	for e, err := range w.store.Read(ctx, w.id, w.after) {
		if err != nil {
			return w.fails(err)
		}
		if fresh = true; !w.show(engine.Update{Event: &e}) {
			return false
		}
	}
	leased, err := w.store.Leased(ctx, w.id)
	if err != nil || fresh && leased {
		return err == nil || w.fails(err)
	}
	if !leased {
		w.alone()
	}
	for entry, err := range w.store.Tail(ctx, newest) {
		if err != nil {
			return w.fails(err)
		}
		if entry.Deployment == w.id {
			return w.show(engine.Update{Event: &entry.Event})
		}
	}
	return false // ctx has ended
}

func (w *watch) fails(err error) bool {
	w.yield(engine.Update{}, err)
	return false
}
