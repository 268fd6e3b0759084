package beside

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"net"
	"sync"

	"github.com/sluice-cd/sluice"
)

// An Endpoint is where Jobs reach Sluice, for clusters that Sluice reaches only slowly. It knows a Job by its key, and
// refuses all whose key it does not expect.
type Endpoint struct {
	listener net.Listener
	address  string
	settings *tls.Config
	running  sync.WaitGroup
	ended    context.Context // when the endpoint is closed
	end      context.CancelFunc

	mu       sync.Mutex
	expected map[string]chan *tls.Conn // by the Job's key
}

// NewEndpoint returns an endpoint that listens until it is closed. Jobs reach it at address. The secret is the one that
// [Options.Secret] returns for Sluice itself.
func NewEndpoint(l net.Listener, address, secret string) (*Endpoint, error) {
	id, err := newIdentity(secret)
	if err != nil {
		return nil, err
	}
	e := &Endpoint{listener: l, address: address, expected: map[string]chan *tls.Conn{}}
	e.ended, e.end = context.WithCancel(context.Background())
	if e.settings, err = id.config(e.knows); err != nil {
		return nil, err
	}
	e.running.Go(e.accept)
	return e, nil
}

// EndpointSecret is the purpose of the secret of an endpoint.
const EndpointSecret = "jobs"

// Close refuses new connections. Those that sessions have stay.
func (e *Endpoint) Close() error {
	e.end()
	err := e.listener.Close()
	e.running.Wait()
	return err
}

func (e *Endpoint) knows(key ed25519.PublicKey) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.expected[string(key)] != nil
}

// expect returns a function that waits for the next connection of the Job with the key.
func (e *Endpoint) expect(key ed25519.PublicKey) func(context.Context) (*tls.Conn, error) {
	arrivals := e.arrivals(key)
	return func(ctx context.Context) (*tls.Conn, error) {
		select {
		case conn := <-arrivals:
			return conn, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-e.ended.Done():
			return nil, sluice.Errorf(sluice.Cancelled, "Sluice no longer listens for its Jobs")
		}
	}
}

func (e *Endpoint) arrivals(key ed25519.PublicKey) chan *tls.Conn {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.expected[string(key)] == nil {
		e.expected[string(key)] = make(chan *tls.Conn)
	}
	return e.expected[string(key)]
}

// forget refuses the Job with the key from now on.
func (e *Endpoint) forget(key ed25519.PublicKey) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.expected, string(key))
}

func (e *Endpoint) accept() {
	for {
		raw, err := e.listener.Accept()
		if err != nil {
			return
		}
		e.running.Go(func() { e.welcome(raw) })
	}
}

// welcome hands the connection to the session that waits for it.
func (e *Endpoint) welcome(raw net.Conn) {
	ctx, cancel := context.WithTimeout(e.ended, handshake)
	defer cancel()
	conn := tls.Server(raw, e.settings)
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close() // a stranger needs no reason
		return
	}
	key, _ := peerKey(conn.ConnectionState())
	select {
	case e.arrivals(key) <- conn:
	case <-ctx.Done():
		_ = conn.Close() // the Job tries again
	}
}
