package bootstrap

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/service"
)

// Reaper returns what deletes expired data, in the accounts that answer.
func (w *Wiring) Reaper(ctx context.Context, store sluice.Store) (service.Reaper, error) {
	accounts, _, err := w.Answering(ctx)
	return service.Reaper{Store: store, Movers: w.Movers(), Accounts: accounts, Now: time.Now}, err
}

// lastReap bounds how long an engine that stops deletes what has expired.
const lastReap = 10 * time.Second

// reap deletes what has expired whenever a deployment has started or ended: by then the store knows what the deployment
// needs. The last time is when the owner closes; then it asks no account.
func (o *owner) reap(i Instance) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if after, err := o.store.Newest(ctx); err == nil {
			o.reapAfter(ctx, after, i)
		}
	}()
	o.close.add(func() error {
		cancel()
		<-done
		ctx, cancel := context.WithTimeout(context.Background(), lastReap)
		defer cancel()
		w := NewWiring(i.Dir, i.Config)
		deleted, err := service.Reaper{Store: o.store, Movers: w.Movers(), Now: time.Now}.Checkpoints(ctx)
		i.tell(service.Reaped{Checkpoints: deleted}, err)
		return w.Close()
	})
}

func (o *owner) reapAfter(ctx context.Context, after sluice.Cursor, i Instance) {
	for entry, err := range o.store.Tail(ctx, after) {
		if err != nil {
			return // the engine says that the store cannot be followed
		}
		if kind := entry.Event.Kind; kind != sluice.DeploymentStarted && kind != sluice.DeploymentEnded {
			continue
		}
		if reaped, err := i.reapOnce(ctx, o.store); ctx.Err() == nil {
			i.tell(reaped, err)
		}
	}
}

func (i Instance) reapOnce(ctx context.Context, store sluice.Store) (reaped service.Reaped, err error) {
	w := NewWiring(i.Dir, i.Config)
	defer func() { err = errors.Join(err, w.Close()) }()
	r, err := w.Reaper(ctx, store)
	if err != nil {
		return reaped, err
	}
	return r.Reap(ctx)
}

// tell says what was deleted, and what stays although its time is over.
func (i Instance) tell(reaped service.Reaped, err error) {
	for _, what := range reaped.Names() {
		i.Note("%s had expired and is deleted", what)
	}
	if err != nil {
		i.Note("warning: what has expired could not be deleted and stays until the next time: %s",
			strings.ReplaceAll(err.Error(), "\n", "; "))
	}
}
