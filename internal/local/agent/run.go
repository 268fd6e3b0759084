package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/local/process"
	"github.com/sluice-cd/sluice/internal/local/proxy"
)

// SocketName is the agent's socket in its directory.
const SocketName = "agent.sock"

// Run is the agent of the directory until ctx ends or it is told to go down. It waits for an earlier agent of
// the directory to leave. ready is called once, when the socket answers or with the error that prevents it.
// When ctx ends the pods stay; the next agent takes them over.
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
	return a.serve(listener)
}

// open takes the directory over and brings everything in it back.
func open(ctx context.Context, dir string) (*Agent, net.Listener, func(), error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, nil, nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, nil, err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, nil, nil, err
	}
	lock := flock.New(filepath.Join(dir, "agent.lock"), flock.SetPermissions(0o600))
	if err := lock.Lock(); err != nil {
		return nil, nil, nil, err
	}
	unlock := func() { _ = lock.Unlock() } // the end of the process does it too
	a, err := newAgent(ctx, dir)
	if err != nil {
		unlock()
		return nil, nil, nil, err
	}
	l, err := Listen(dir)
	if err != nil {
		unlock()
		return nil, nil, nil, err
	}
	return a, l, unlock, a.recover()
}

func newAgent(ctx context.Context, dir string) (*Agent, error) {
	a := &Agent{
		dir: dir, log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		pods: map[string]*pod{}, images: map[string]Image{}, ports: map[portKey]*proxy.Port{},
		wakeup: make(chan struct{}, 1),
	}
	a.ctx, a.quit = context.WithCancel(ctx)
	var err error
	if a.net, err = openNetwork(dir); err != nil {
		return nil, err
	}
	if a.id, err = identityOf(dir); err != nil {
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

// identityOf returns what marks the account's processes, made when the account is.
func identityOf(dir string) (string, error) {
	path := filepath.Join(dir, "id")
	b, err := os.ReadFile(path)
	if err == nil {
		return string(b), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	id := newUID()
	return id, writeFile(path, []byte(id), 0o600)
}

// recover adopts what earlier agents left, ends what they started and could not record, and opens the ports.
func (a *Agent) recover() error {
	records, err := a.loadRecords()
	if err != nil {
		return err
	}
	if err := a.endStrays(records); err != nil {
		return err
	}
	if err := a.recoverVolumes(); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range records {
		p := newPod(a.ctx, r)
		for _, c := range p.containers {
			a.logs.keep(filepath.Join(a.logDir(p.Namespace, p.Name), c.spec.Name+".log"))
		}
		a.begin(p)
	}
	for _, e := range a.store.list("Service", "") {
		if err := a.listen(e, false); err != nil {
			a.log.Error("open the Service's ports", "service", e.key().Name, "error", err)
		}
	}
	a.route()
	return nil
}

// endStrays ends the marked processes of containers whose recorded process is gone or was never recorded, and
// lets the others run, in case that a Cut was cut short.
func (a *Agent) endStrays(records []record) error {
	known := map[process.Identity]bool{}
	for _, r := range records {
		for i, c := range r.Containers {
			if c.Process == nil || !c.Process.Alive() {
				continue
			}
			ids, err := process.Find(containerMark(r.UID, r.Spec.Containers[i].Name))
			if err != nil {
				return err
			}
			for _, id := range ids {
				known[id] = true
			}
		}
	}
	ids, err := process.Find("SLUICE_ACCOUNT=" + a.id)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if known[id] {
			err = errors.Join(err, process.Continue([]process.Identity{id}))
			continue
		}
		err = errors.Join(err, process.KillOne(id))
	}
	return err
}

// serve answers until the agent ends.
func (a *Agent) serve(l net.Listener) error {
	server := &http.Server{Handler: a.handler(), ReadHeaderTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	controlled := make(chan struct{})
	go func() { defer close(controlled); a.control(a.ctx) }()
	var err error
	select {
	case err = <-served:
		a.quit()
	case <-a.ctx.Done():
	}
	// The answer to Down is still under way.
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if shutErr := server.Shutdown(ctx); shutErr != nil && err == nil {
		err = server.Close()
	}
	<-controlled
	a.running.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, a.logs.close(), a.net.claim.Close())
}

// Down ends every pod, gracefully, and then the agent. The objects stay and come back with the next agent.
func (a *Agent) Down(ctx context.Context) error {
	a.mu.Lock()
	a.ending = true
	var pods []*pod
	var err error
	for _, p := range a.pods {
		pods = append(pods, p)
		err = errors.Join(err, a.stop(p, "the account goes down"))
	}
	a.mu.Unlock()
	for _, p := range pods {
		select {
		case <-p.done:
		case <-ctx.Done():
			err = errors.Join(err, ctx.Err())
		}
	}
	err = errors.Join(err, process.Kill("SLUICE_ACCOUNT="+a.id))
	a.quit()
	return err
}

// SetImages adds what stands for images; those not named stay.
func (a *Agent) SetImages(images map[string]Image) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for name, image := range images {
		a.images[name] = image
	}
	return writeJSON(filepath.Join(a.dir, "images.json"), a.images)
}

// Listen opens the socket of the directory.
func Listen(dir string) (net.Listener, error) {
	path, done, err := shortPath(dir)
	if err != nil {
		return nil, err
	}
	defer done()
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	// The path is one of this moment only; the next agent replaces the socket.
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	return l, os.Chmod(filepath.Join(dir, SocketName), 0o600)
}

// DialSocket connects to the agent of the directory; Unavailable if none answers.
func DialSocket(ctx context.Context, dir string) (net.Conn, error) {
	path, done, err := shortPath(dir)
	if err != nil {
		return nil, sluice.Errorf(sluice.Unavailable, "the local account in %s is not there: %w", dir, err)
	}
	defer done()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	if err != nil {
		return nil, sluice.Errorf(sluice.Unavailable, "the agent of the local account in %s is not running: %w", dir, err)
	}
	return conn, nil
}

// shortPath names the socket through a descriptor of its directory: a socket's path may have 107 bytes only.
func shortPath(dir string) (path string, done func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", d.Fd(), SocketName), func() { _ = d.Close() }, nil
}
