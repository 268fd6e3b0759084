package agent

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/sluice-cd/sluice/internal/local/process"
	"github.com/sluice-cd/sluice/internal/local/proxy"
	"github.com/sluice-cd/sluice/internal/secret"
)

// SocketName is the agent's socket in its directory.
const SocketName = "agent.sock"

// Run runs the agent of the directory until ctx ends or Down is called. It waits for an earlier agent of the directory
// to leave. ready is called once, when the socket answers or with the error that prevents it. When ctx ends the pods
// stay; the next agent takes them over.
func Run(ctx context.Context, dir string, ready func(error)) error {
	switch os.Getenv(roleVariable) {
	case roleShim:
		return runShim(ctx)
	case roleWatchdog:
		return runWatchdog(os.Stdin, os.Stdout)
	}
	a, listener, unlock, err := open(ctx, dir)
	ready(err)
	if err != nil {
		return err
	}
	defer unlock()
	slog.SetDefault(a.log) // net/http repeats what pods send
	return errors.Join(a.serve(listener), a.endIfGone())
}

// open takes the directory over and brings everything in it back.
func open(ctx context.Context, dir string) (*Agent, net.Listener, func(), error) {
	dir, err := ownDirectory(dir)
	if err != nil {
		return nil, nil, nil, err
	}
	if err := ignoreAbsent(os.Remove(filepath.Join(dir, downFile))); err != nil {
		return nil, nil, nil, err
	}
	unlock, err := lockDirectory(ctx, dir)
	if err != nil {
		return nil, nil, nil, err
	}
	a, l, err := openLocked(ctx, dir)
	if err != nil {
		unlock()
		return nil, nil, nil, spaceError(err)
	}
	return a, l, unlock, nil
}

func openLocked(ctx context.Context, dir string) (*Agent, net.Listener, error) {
	if err := writePID(dir); err != nil {
		return nil, nil, err
	}
	a, err := newAgent(ctx, dir)
	if err != nil {
		return nil, nil, err
	}
	l, err := Listen(dir)
	if err != nil {
		return nil, nil, err
	}
	return a, l, a.recover()
}

func newAgent(ctx context.Context, dir string) (*Agent, error) {
	r := new(secret.Redactor)
	a := &Agent{
		dir: dir, log: slog.New(slog.NewTextHandler(r.Output(os.Stderr), nil)), redactor: r,
		pods: map[string]*pod{}, images: map[string]Image{}, ports: map[portKey]*proxy.Port{},
		wakeup: make(chan struct{}, 1), ending: slices.Contains(os.Environ(), EndOnly),
	}
	a.ctx, a.quit = context.WithCancel(ctx)
	var err error
	if a.id, err = identify(dir); err != nil {
		return nil, err
	}
	if a.net, err = a.network(); err != nil {
		return nil, err
	}
	if _, err := readJSON(filepath.Join(dir, "images.json"), &a.images); err != nil {
		return nil, err
	}
	if a.logs, err = newLogKeeper(func(err error) { a.log.Warn("logs", "error", err) }); err != nil {
		return nil, err
	}
	a.store, err = openStore(filepath.Join(dir, "objects"), a.events.send)
	return a, err
}

// network takes the account's block of addresses. An agent that only ends pods needs none.
func (a *Agent) network() (*network, error) {
	if a.ending {
		n, _, err := recordedNetwork(a.dir)
		return n, err
	}
	return openNetwork(a.dir, a.id)
}

// serve answers until the agent ends.
func (a *Agent) serve(l net.Listener) error {
	server := &http.Server{Handler: a.handler(), ReadHeaderTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	watched := make(chan struct{})
	go func() { defer close(watched); a.watchDirectory() }()
	controlled := make(chan struct{})
	go func() { defer close(controlled); a.control(a.ctx) }()
	var err error
	select {
	case err = <-served:
		a.quit()
	case <-a.ctx.Done():
	}
	// The answer to Down is still being sent.
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if shutErr := server.Shutdown(ctx); shutErr != nil && err == nil {
		err = server.Close()
	}
	<-controlled
	<-watched
	a.running.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, a.logs.close(), a.net.release())
}

// writePID records the agent's process number, for people and tests.
func writePID(dir string) error {
	id, err := process.Identify(os.Getpid())
	if err != nil {
		return err
	}
	return writeJSON(filepath.Join(dir, "agent.pid"), id)
}
