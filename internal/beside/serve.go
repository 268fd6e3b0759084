package beside

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"path"
	"strconv"
	"sync"
	"time"

	"github.com/sluice-cd/sluice"
)

// What the pod of a Job has, and where.
const (
	ConfigDir = "/etc/sluice"
	port      = 7443
	volumes   = "/volumes"
)

// The files of a Config. The secret has one of its own, so that a redactor knows it as it stands in the Secret.
const (
	configFile = "connection.json"
	secretFile = "secret"
)

// VolumeDir returns where the pod has the volume with the number i of its work.
func VolumeDir(i int) string { return path.Join(volumes, strconv.Itoa(i)) }

// A Config is what a Job knows of its connection.
type Config struct {
	Secret string            `json:"-"`                // from which its key derives
	Peer   ed25519.PublicKey `json:"peer"`             // Sluice's key
	Dial   string            `json:"dial,omitempty"`   // where it reaches Sluice, as host:port; "": it is reached itself
	Idle   time.Duration     `json:"idle"`             // how long it waits for a connection before it ends
	Claims []string          `json:"claims,omitempty"` // of whom the volumes are, in their order; for errors
	Kept   *Kept             `json:"-"`                // what a killed pod has left to be done first; nil: nothing
	Listen net.Listener      `json:"-"`                // where it is reached; nil: at the port of its Service
}

// Volumes returns the volumes of the pod.
func (c Config) Volumes() []sluice.Volume {
	var all []sluice.Volume
	for i, claim := range c.Claims {
		all = append(all, sluice.Volume{Claim: claim, Dir: VolumeDir(i)})
	}
	return all
}

// ReadConfig reads what [Bench.Open] gave to the Job. The files are those of the Secret.
func ReadConfig(read func(file string) ([]byte, error)) (c Config, err error) {
	data, err := read(configFile)
	if err == nil {
		err = json.Unmarshal(data, &c)
	}
	secret, missing := read(secretFile)
	c.Secret = string(secret)
	if err := errors.Join(err, missing); err != nil {
		return c, sluice.Errorf(sluice.NotFound, "the settings of a Job beside the data cannot be read: %w", err).
			WithHint("Sluice starts this command in its own Jobs; do not run it by hand")
	}
	if data, err := read(keptFile); err == nil && len(data) > 0 {
		c.Kept, err = readKept(data)
		return c, err
	}
	return c, nil
}

// Serve answers Sluice's calls until ctx ends, or until nobody was connected for as long as the configuration says.
// Both are no error. The context of a request ends with its connection. Serve returns when no request runs any more. It
// first makes the call that was kept; if that fails, the pod is to end, so that the cluster tries again.
func Serve(ctx context.Context, c Config, handler http.Handler) error {
	if c.Kept != nil {
		if err := c.Kept.make(ctx, handler); err != nil {
			return err
		}
	}
	id, err := newIdentity(c.Secret)
	if err != nil {
		return err
	}
	settings, err := id.config(only(c.Peer))
	if err != nil {
		return err
	}
	l, err := listen(ctx, c, settings)
	if err != nil {
		return err
	}
	idle := newIdleness(c.Idle)
	defer idle.stop()
	requests := &counted{Handler: greeted(handler)}
	defer requests.running.Wait()
	server := &http.Server{
		Handler: requests, ReadHeaderTimeout: handshake, ConnState: idle.saw, HTTP2: &http.HTTP2Config{
			SendPingTimeout: pingAfter, PingTimeout: pingAfter,
			MaxReceiveBufferPerConnection: window, MaxReceiveBufferPerStream: window, MaxReadFrameSize: frame,
		},
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	case <-idle.over:
	}
	_ = server.Close() // what still runs is to end
	<-served
	return nil
}

// counted knows how many requests run.
type counted struct {
	http.Handler
	running sync.WaitGroup
}

func (c *counted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.running.Add(1)
	defer c.running.Done()
	c.Handler.ServeHTTP(w, r)
}

// greeting is the path by which Sluice finds out that the Job answers.
const greeting = "/alive"

func greeted(next http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+greeting, func(http.ResponseWriter, *http.Request) {})
	mux.Handle("/", next)
	return mux
}

// The settings of a connection, the same for both sides.
const (
	handshake = 10 * time.Second
	pingAfter = 15 * time.Second // without a word of the other side; a connection that does not answer is closed
	window    = 4<<20 - 1        // of bytes on their way; the largest that Go allows
	frame     = 1 << 20
)

func listen(ctx context.Context, c Config, settings *tls.Config) (net.Listener, error) {
	if c.Dial != "" {
		return newCaller(ctx, c.Dial, settings), nil
	}
	l := c.Listen
	if l == nil {
		var err error
		if l, err = net.Listen("tcp", ":"+strconv.Itoa(port)); err != nil {
			return nil, sluice.Errorf(sluice.Exhausted, "listen for Sluice at port %d: %w", port, err)
		}
	}
	return tls.NewListener(l, settings), nil
}

// An idleness is over when no connection was open for a time.
type idleness struct {
	over  chan struct{}
	after time.Duration

	mu    sync.Mutex
	open  map[net.Conn]bool
	timer *time.Timer
}

func newIdleness(after time.Duration) *idleness {
	i := &idleness{over: make(chan struct{}), after: after, open: map[net.Conn]bool{}}
	i.timer = time.AfterFunc(after, sync.OnceFunc(func() { close(i.over) }))
	return i
}

// saw counts a connection once the other side has proved its key.
func (i *idleness) saw(c net.Conn, state http.ConnState) {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch state {
	case http.StateActive:
		i.open[c] = true
		i.timer.Stop()
	case http.StateClosed, http.StateHijacked:
		known := i.open[c]
		if delete(i.open, c); known && len(i.open) == 0 {
			i.timer.Reset(i.after)
		}
	}
}

func (i *idleness) stop() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.timer.Stop()
}
