package bootstrap

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os/user"
	"strings"
	"sync"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/api"
	"github.com/sluice-cd/sluice/internal/identity"
	"github.com/sluice-cd/sluice/internal/inbound"
	"github.com/sluice-cd/sluice/internal/pages"
	"github.com/sluice-cd/sluice/internal/server"
	"github.com/sluice-cd/sluice/internal/status"
	"github.com/sluice-cd/sluice/internal/telemetry"
)

// How long a server waits.
const (
	resumeEvery  = 3 * time.Second  // between two looks for deployments that a killed server left
	drainFor     = 10 * time.Second // for requests that run when it stops
	bodyPatience = 2 * time.Minute  // for the body of a request
)

// A Serving is what a command adds to the section server of sluice.yaml.
type Serving struct {
	Listen    string                   // host:port instead of that of sluice.yaml; "": that
	Listening func(address, at string) // is told once requests are answered: how others reach it, and host:port
	JSON      bool                     // the log is JSON, and what else the user is told is part of it
}

// Serve runs the deployments of the state directory and answers callers until ctx ends. Then it lets requests end and
// stops; deployments are continued by another server, or by the next one.
func Serve(ctx context.Context, i Instance, s Serving) (err error) {
	lock, held, err := i.Dir.lock()
	if err == nil && !held {
		lock, err = i.Dir.waitLock(ctx)
	}
	if err != nil {
		return err
	}
	if key := i.Config.Server.Key; key.IsSet() {
		if err := i.Dir.takeKey(key); err != nil {
			return errors.Join(err, lock.Unlock())
		}
	}
	listener, err := i.listen(s.Listen)
	if err != nil {
		return errors.Join(err, lock.Unlock())
	}
	if err := i.observe(ctx, s.JSON); err != nil {
		return errors.Join(err, listener.Close(), lock.Unlock())
	}
	o, err := i.own(ctx, lock)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	if err := o.engine.Resume(ctx); err != nil {
		return errors.Join(err, listener.Close())
	}
	return o.answer(ctx, i, listener, s)
}

// listen listens as sluice.yaml says, or at another address, and sets how others reach it.
func (i *Instance) listen(elsewhere string) (net.Listener, error) {
	own := i.Config.Server
	if elsewhere != "" {
		own.Listen = elsewhere
	}
	if err := own.CheckListen(); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", own.Listen)
	if err != nil {
		return nil, sluice.Errorf(sluice.Exhausted, "the server cannot listen at %s: %w", own.Listen, err).
			WithHint("set another address with --listen, or server.listen in sluice.yaml")
	}
	own.Listen = l.Addr().String()
	i.Address = own.URL()
	if own.TLS.CertFile == "" {
		return l, nil
	}
	c, err := loadCertificate(own.TLS, func(format string, args ...any) { i.Note(format, args...) })
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return tls.NewListener(l, &tls.Config{
		GetCertificate: c.current, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
	}), nil
}

// store opens the store: that in the database of a server that has one, otherwise that of the state directory.
func (i Instance) store(ctx context.Context) (sluice.Store, error) {
	database := i.Config.Server.Database
	if i.Address == "" || !database.IsSet() {
		return i.Dir.open(ctx)
	}
	address, err := i.Dir.redactor.Read(database)
	if err != nil {
		return nil, err
	}
	return i.Dir.openDatabase(ctx, address)
}

// answer answers requests until ctx ends.
func (o *owner) answer(ctx context.Context, i Instance, l net.Listener, s Serving) error {
	core, auth := server.New(o.serving(i, i.observed.log)), o.authenticator(i)
	defer core.Close()
	caller := telemetry.Callers(auth.Caller)
	shown := pages.New(pages.Config{Server: core, Caller: caller, Now: time.Now})
	mux := o.routes(core, auth, shown)
	mux.Handle("GET /metrics", i.observed.handler(caller))
	h := &http.Server{
		Handler:           i.observed.metrics.Requests(i.observed.log, mux),
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: bodyPatience, IdleTimeout: bodyPatience,
		ErrorLog: slog.NewLogLogger(i.observed.log.Handler(), slog.LevelWarn),
	}
	streams, endStreams := context.WithCancel(context.Background())
	defer endStreams()
	h.BaseContext = func(net.Listener) context.Context { return streams }
	served := make(chan error, 1)
	go func() { served <- ignoreClosed(h.Serve(l)) }()
	stop := o.keep(i, shown)
	defer stop()
	s.Listening(i.Address, l.Addr().String())
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	core.Refuse()
	endStreams() // readers connect to another server
	draining, cancel := context.WithTimeout(context.Background(), drainFor)
	defer cancel()
	err := h.Shutdown(draining)
	if errors.Is(err, context.DeadlineExceeded) {
		err = h.Close()
	}
	return errors.Join(err, <-served)
}

// serving is what the use cases of servers work with.
func (o *owner) serving(i Instance, logger *slog.Logger) server.Config {
	at := site{dir: i.Dir, config: i.Config, store: o.store, key: o.wiring.key}
	return server.Config{
		Store: o.store, Engine: o.engine, Site: at, Copies: copies{at}, Pods: pods{at}, Examine: at.examine, Fetch: Fetch,
		Dir: i.Dir.Path(""), Now: time.Now, Refusals: identity.NewRefusals(o.store, time.Now), Logger: logger,
	}
}

// routes returns the handler of everything that the server answers.
func (o *owner) routes(core *server.Server, auth *identity.Authenticator, shown http.Handler) *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("/", shown)
	mux.Handle(api.Prefix+"/", api.New(api.Config{
		Server: core, Caller: telemetry.Callers(auth.Caller), Identity: auth.Discovery, Version: Version().Version,
		MakeToken: func(ctx context.Context, q api.TokenRequest, by sluice.Actor) (sluice.Token, string, error) {
			return auth.MakeToken(ctx, identity.Request{Name: q.Name, Roles: q.Roles, Life: q.Life(), Owner: by.Identity})
		},
	}))
	mux.Handle(identity.LoginPath, auth.Handler())
	mux.Handle(identity.LoginPath+"/", auth.Handler())
	mux.Handle(identity.LogoutPath, auth.Handler())
	mux.Handle("/callbacks/", inbound.NewCallbacks(o.engine, o.store, o.wiring.key, time.Now))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /readyz", o.ready)
	return mux
}

// ready answers whether the store can be read.
func (o *owner) ready(w http.ResponseWriter, r *http.Request) {
	if _, err := o.store.Newest(r.Context()); err != nil {
		http.Error(w, "the store cannot be read", http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// keep continues what killed servers left, because the death of a process brings no news, and keeps the overview of the
// pages and the metrics up to date. It returns the function that ends both.
func (o *owner) keep(i Instance, shown *pages.Pages) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var kept sync.WaitGroup
	kept.Go(func() {
		said := "" // once, not each time
		for every(ctx, resumeEvery) {
			err := o.engine.Resume(ctx)
			if err != nil && err.Error() != said && ctx.Err() == nil {
				i.Note("warning: deployments cannot be continued now; it is tried again: %v", err)
			}
			if said = ""; err != nil {
				said = err.Error()
			}
		}
	})
	kept.Go(func() {
		shown.Follow(ctx, func(err error) {
			i.Note("warning: the pages cannot follow the store now; it is tried again: %v", err)
		})
	})
	kept.Go(func() { i.observed.follow(ctx, o.store) })
	o.notify(ctx, i, &kept)
	return func() {
		cancel()
		kept.Wait()
	}
}

// every waits, and returns false if ctx ends before.
func every(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// authenticator proves who calls the server.
func (o *owner) authenticator(i Instance) *identity.Authenticator {
	c := i.Config.Server
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	options := identity.Options{
		Server: c, Roles: o.wiring.current.roles, Tokens: o.store, Audit: o.store, Key: o.wiring.key.Derived,
		User: name, Now: time.Now,
		Fail: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, strings.TrimSpace(err.Error()+"\n"+sluice.ErrorHint(err)), status.Of(sluice.ErrorCode(err)))
		},
	}
	if c.Identity != nil && c.Identity.ClientSecret.IsSet() {
		options.ClientSecret = func() (string, error) { return i.Dir.redactor.Read(c.Identity.ClientSecret) }
	}
	return identity.New(options)
}
