package bootstrap

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/server"
	"github.com/sluice-cd/sluice/internal/service"
)

// An owner is the one process that runs the deployments of a state directory. It listens at the directory's socket and
// at the callback address.
type owner struct {
	engine *engine.Engine
	store  sluice.Store
	socket *control
	wiring *Wiring
	close  closers
}

// closers are called once, the last one first.
type closers struct {
	once  sync.Once
	calls []func() error
	err   error
}

func (c *closers) add(call func() error) { c.calls = append(c.calls, call) }

func (c *closers) run() error {
	c.once.Do(func() {
		for i := len(c.calls) - 1; i >= 0; i-- {
			c.err = errors.Join(c.err, c.calls[i]())
		}
	})
	return c.err
}

// own starts an engine on the directory. The lock is released with the owner, and also if this fails.
func (i Instance) own(ctx context.Context, lock *flock.Flock) (o *owner, err error) {
	dir, c := i.Dir, i.Config
	o = &owner{}
	o.close.add(lock.Unlock)
	defer func() {
		if err != nil {
			err = errors.Join(err, o.Close())
		}
	}()
	if o.store, err = i.store(ctx); err != nil {
		return o, err
	}
	o.close.add(o.store.Close)
	logger := slog.New(slog.NewTextHandler(i.Log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if i.observed != nil {
		o.store, logger = i.observed.store(o.store), i.observed.log
		o.close.add(i.observed.export(o.store)) // after the engine, which may end a deployment until it stops
	}
	if err := service.CheckUnended(ctx, o.store, c); err != nil {
		return o, err
	}
	if err := dir.remember(c); err != nil {
		return o, err
	}
	listener, base, err := i.listenCallbacks()
	if err != nil {
		return o, err
	}
	o.close.add(func() error { return ignoreClosed(listener.Close()) })
	w := NewWiring(dir, c)
	o.wiring, w.previewBase = w, base
	if i.Address != "" && c.Webhooks.CallbackURL == "" {
		base = i.Address
	}
	w.follow(i.Note)
	steps, err := w.steps(ctx, o.store, base)
	o.close.add(w.Close)
	if err != nil {
		return o, err
	}
	o.engine = engine.New(engine.Config{
		Store: o.store, Steps: steps, Now: time.Now, Random: rand.Reader, RetryFor: c.RetryFor,
		Logger: logger,
	})
	o.close.add(func() error { return o.engine.Stop(context.Background()) })
	o.reap(i)
	inbound := &http.Server{
		Handler: w.inbound(o.engine, o.store), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second,
	}
	o.serve(func() error { return inbound.Serve(listener) }, inbound.Close)
	if err := server.Sweep(dir.Path("")); err != nil {
		return o, err
	}
	control, err := listenSocket(dir.socket())
	if err != nil {
		return o, sluice.Errorf(sluice.Unavailable, "the control socket cannot be opened: %w", err)
	}
	o.socket = o.control(i, logger)
	o.serve(func() error { return o.socket.http.Serve(control) }, o.socket.Close)
	return o, nil
}

// Close interrupts running deployments; they can be resumed.
func (o *owner) Close() error { return o.close.run() }

// serve runs a server until it is stopped, and waits for it when the owner is closed.
func (o *owner) serve(run, stop func() error) {
	done := make(chan error, 1)
	go func() { done <- ignoreClosed(run()) }()
	o.close.add(func() error { return errors.Join(ignoreClosed(stop()), <-done) })
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) || errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
