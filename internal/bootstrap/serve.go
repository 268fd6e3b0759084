package bootstrap

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os/user"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/api"
	"github.com/sluice-cd/sluice/internal/httpapi"
	"github.com/sluice-cd/sluice/internal/server"
)

// How long a server waits.
const (
	resumeEvery  = 3 * time.Second  // between two looks for deployments that a killed server left
	drainFor     = 10 * time.Second // for requests that run when it stops
	bodyPatience = 2 * time.Minute  // for the body of a request
)

// A Serving says how a server listens.
type Serving struct {
	Listen    string               // host:port
	Address   string               // how others reach it; "": the address that it listens at
	Listening func(address string) // is told once requests are answered
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
	listener, err := net.Listen("tcp", s.Listen)
	if err != nil {
		return errors.Join(sluice.Errorf(sluice.Exhausted, "the server cannot listen at %s: %w", s.Listen, err).
			WithHint("set another address with --listen"), lock.Unlock())
	}
	if i.Address = s.Address; i.Address == "" {
		i.Address = "http://" + reachable(listener.Addr())
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

// answer answers requests until ctx ends.
func (o *owner) answer(ctx context.Context, i Instance, l net.Listener, s Serving) error {
	core := o.core(i)
	h := &http.Server{
		Handler: o.routes(core), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: bodyPatience, IdleTimeout: bodyPatience,
		ErrorLog: slog.NewLogLogger(slog.NewTextHandler(i.Log, nil), slog.LevelWarn),
	}
	streams, endStreams := context.WithCancel(context.Background())
	defer endStreams()
	h.BaseContext = func(net.Listener) context.Context { return streams }
	served := make(chan error, 1)
	go func() { served <- ignoreClosed(h.Serve(l)) }()
	stopResuming := o.keepResuming(i)
	defer stopResuming()
	s.Listening(i.Address)
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

// core returns the use cases of the server.
func (o *owner) core(i Instance) *server.Server {
	at := site{dir: i.Dir, config: i.Config, store: o.store, key: o.wiring.key}
	return server.New(server.Config{
		Store: o.store, Engine: o.engine, Site: at, Examine: at.examine, Fetch: Fetch, Dir: i.Dir.Path(""), Now: time.Now,
		Logger: slog.New(slog.NewTextHandler(i.Log, nil)),
	})
}

// routes returns the handler of everything that the server answers.
func (o *owner) routes(core *server.Server) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(api.Prefix+"/", api.New(api.Config{
		Server: core, Caller: owningUser, Identity: func() api.Identity { return api.Identity{} }, Version: Version().Version,
	}))
	mux.Handle("/callbacks/", httpapi.NewCallbacks(o.engine, o.store, o.wiring.key, time.Now))
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

// keepResuming continues what killed servers left: the death of a process brings no news. It returns the function that
// ends it.
func (o *owner) keepResuming(i Instance) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		t := time.NewTicker(resumeEvery)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				if err := o.engine.Resume(ctx); err != nil && ctx.Err() == nil {
					i.Note("warning: deployments cannot be continued now; it is tried again: %v", err)
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// owningUser is the caller of a server without identities, which listens on this machine only: the user who runs it.
func owningUser(r *http.Request) (access.Caller, error) {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return access.Caller{
		Actor:  sluice.Actor{Name: name, Via: "api", From: r.RemoteAddr},
		Grants: []access.Grant{{Verbs: access.Verbs}},
	}, nil
}
