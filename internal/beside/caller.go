package beside

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"
)

// A caller is the listener of a Job that connects to Sluice itself, with one connection at a time.
type caller struct {
	ctx      context.Context
	cancel   context.CancelFunc
	address  string
	settings *tls.Config
	free     chan struct{} // holds one token while there is no connection
}

func newCaller(ctx context.Context, address string, settings *tls.Config) *caller {
	c := &caller{address: address, settings: settings, free: make(chan struct{}, 1)}
	c.ctx, c.cancel = context.WithCancel(ctx)
	c.free <- struct{}{}
	return c
}

// redial is the pause between two attempts to connect.
const redial = time.Second

// Accept returns the next connection, once Sluice has accepted it.
func (c *caller) Accept() (net.Conn, error) {
	select {
	case <-c.free:
	case <-c.ctx.Done():
		return nil, net.ErrClosed
	}
	for {
		if conn, err := c.dial(); err == nil {
			return conn, nil
		}
		select {
		case <-c.ctx.Done():
			return nil, net.ErrClosed
		case <-time.After(redial):
		}
	}
}

func (c *caller) dial() (net.Conn, error) {
	ctx, cancel := context.WithTimeout(c.ctx, handshake)
	defer cancel()
	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", c.address)
	if err != nil {
		return nil, err
	}
	watched := &watchedConn{Conn: raw}
	conn := tls.Client(watched, c.settings)
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close() // nothing was sent on it
		return nil, err
	}
	watched.closed = func() { c.free <- struct{}{} }
	return conn, nil
}

func (c *caller) Close() error {
	c.cancel()
	return nil
}

func (c *caller) Addr() net.Addr { return &net.TCPAddr{} }

// A watchedConn says when it is closed.
type watchedConn struct {
	net.Conn
	once   sync.Once
	closed func()
}

func (w *watchedConn) Close() error {
	if w.closed != nil {
		w.once.Do(w.closed)
	}
	return w.Conn.Close()
}
