package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// dialTimeout is short because every endpoint is on this machine.
const dialTimeout = 5 * time.Second

type tcpServer struct {
	balancer *Balancer
	mu       sync.Mutex
	open     map[net.Conn]bool
	closed   bool
}

func serveTCP(l net.Listener, b *Balancer) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	s := &tcpServer{balancer: b, open: map[net.Conn]bool{}}
	go func() {
		for {
			conn, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				// Out of descriptors, most likely: another try at once would spin.
				select {
				case <-time.After(10 * time.Millisecond):
				case <-ctx.Done():
				}
				continue
			}
			go s.serve(ctx, conn)
		}
	}()
	return func() error {
		cancel()
		s.closeAll()
		return l.Close()
	}
}

func (s *tcpServer) serve(ctx context.Context, client net.Conn) {
	defer client.Close()
	if !s.track(client) {
		return
	}
	defer s.forget(client)
	server, release, err := s.connect(ctx)
	if err != nil {
		return
	}
	// An idle connection may last for ever, so connections do not keep a pod from being stopped.
	release()
	defer server.Close()
	if !s.track(server) {
		return
	}
	defer s.forget(server)
	splice(client, server)
}

// connect dials one endpoint after the other, again and again, until one accepts; nothing was sent before.
func (s *tcpServer) connect(ctx context.Context) (net.Conn, func(), error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	search := s.balancer.search()
	for {
		e, release, err := search.next(ctx)
		if err != nil {
			return nil, nil, err
		}
		conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", e.Address)
		if err == nil {
			return conn, release, nil
		}
		release()
		search.refuse(e)
	}
}

func (s *tcpServer) track(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.open[c] = true
	}
	return !s.closed
}

func (s *tcpServer) forget(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

func (s *tcpServer) closeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for c := range s.open {
		c.Close()
	}
}

// splice copies both ways; the end of one direction is passed on without ending the other.
func splice(a, b net.Conn) {
	var both sync.WaitGroup
	both.Go(func() { oneWay(a, b) })
	both.Go(func() { oneWay(b, a) })
	both.Wait()
}

func oneWay(dst, src net.Conn) {
	_, err := io.Copy(dst, src)
	if err != nil { // a broken direction breaks the whole, or the peer would wait for ever
		dst.Close()
		src.Close()
		return
	}
	if c, ok := dst.(*net.TCPConn); ok {
		_ = c.CloseWrite() // the peer may already be gone
	}
}
