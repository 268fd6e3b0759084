package main

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
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/httpapi"
	"github.com/sluice-cd/sluice/internal/sqlite"
)

// An owner is the one process that carries out the deployments of a state directory. It answers at the
// directory's socket and at the callback address.
type owner struct {
	engine *engine.Engine
	store  *sqlite.Store
	server *httpapi.Server
	close  closers
}

// closers are undone last first, once.
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

// own starts an engine on the directory, which the lock makes ours. The lock is let go of with the owner, also
// where this fails.
func (a *app) own(ctx context.Context, dir stateDir, lock *flock.Flock, c *config.Config) (o *owner, err error) {
	o = &owner{}
	o.close.add(lock.Unlock)
	defer func() {
		if err != nil {
			err = errors.Join(err, o.Close())
		}
	}()
	if o.store, err = sqlite.Open(ctx, dir.store()); err != nil {
		return o, err
	}
	o.close.add(o.store.Close)
	if err := checkUnended(ctx, o.store, c); err != nil {
		return o, err
	}
	if err := dir.remember(c); err != nil {
		return o, err
	}
	key, err := dir.key()
	if err != nil {
		return o, err
	}
	listener, base, err := a.listenCallbacks(dir, c)
	if err != nil {
		return o, err
	}
	o.close.add(func() error { return ignoreClosed(listener.Close()) })
	w := wiring{dir: dir, config: c, key: key, catalogue: o.store, callbackBase: base}
	steps, err := w.steps(ctx)
	o.close.add(w.close.run)
	if err != nil {
		return o, err
	}
	o.engine = engine.New(engine.Config{
		Store: o.store, Steps: steps, Now: time.Now, Random: rand.Reader, RetryFor: c.RetryFor,
		Logger: slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	o.close.add(func() error { return o.engine.Stop(context.Background()) })
	o.serveInbound(listener, w.inbound(httpapi.NewCallbacks(o.engine, o.store, key, time.Now)))
	return o, o.serveControl(dir)
}

// Close stops cleanly: what is under way is interrupted and left to be resumed.
func (o *owner) Close() error { return o.close.run() }

// serve runs a server until it is stopped, and waits for it when the owner is closed.
func (o *owner) serve(run, stop func() error) {
	done := make(chan error, 1)
	go func() { done <- run() }()
	o.close.add(func() error { return errors.Join(stop(), <-done) })
}

func (o *owner) serveInbound(l net.Listener, handler http.Handler) {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second}
	o.serve(func() error { return ignoreClosed(server.Serve(l)) }, server.Close)
}

func (o *owner) serveControl(dir stateDir) error {
	l, err := httpapi.Listen(dir.socket())
	if err != nil {
		return sluice.Errorf(sluice.Unavailable, "the control socket cannot be opened: %w", err)
	}
	o.server = httpapi.NewServer(o.engine, o.store)
	o.serve(func() error { return ignoreClosed(o.server.Serve(l)) },
		func() error { return ignoreClosed(o.server.Close()) })
	return nil
}

// listenCallbacks opens the callback address, the same as last time where it can be.
func (a *app) listenCallbacks(dir stateDir, c *config.Config) (net.Listener, string, error) {
	l, moved, err := httpapi.ListenAgain(c.Webhooks.CallbackAddress, dir.path("callback-port"))
	if err != nil {
		return nil, "", err
	}
	if moved {
		a.note("warning: the callback address of last time is taken; callbacks are now awaited at %s", l.Addr())
	}
	if c.Webhooks.CallbackURL != "" {
		return l, c.Webhooks.CallbackURL, nil
	}
	return l, "http://" + l.Addr().String(), nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) || errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
