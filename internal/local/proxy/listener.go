package proxy

import (
	"errors"
	"net"
	"syscall"
)

// A Port is a Service's port being served.
type Port struct {
	*Balancer
	address string
	http    bool
	stop    func() error
}

// Listen serves the address, host:port, in HTTP or in plain TCP. The error of a taken port is that of net.Listen.
func Listen(address string, http bool) (*Port, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	b := NewBalancer()
	serve := serveTCP
	if http {
		serve = serveHTTP
	}
	stop := serve(l, b)
	return &Port{Balancer: b, address: address, http: http, stop: func() error {
		return errors.Join(unlisten(l), stop())
	}}, nil
}

// unlisten frees the port at once. Closing does not: the server may not serve the listener yet, and a process that is
// being started holds a copy of the descriptor until its program runs.
func unlisten(l net.Listener) error {
	conn, err := l.(*net.TCPListener).SyscallConn()
	if err != nil {
		return err
	}
	var shut error
	err = conn.Control(func(fd uintptr) { shut = syscall.Shutdown(int(fd), syscall.SHUT_RDWR) })
	return errors.Join(err, shut)
}

// Serves reports whether the port is what these arguments of Listen would make.
func (p *Port) Serves(address string, http bool) bool { return p.address == address && p.http == http }

// Close stops listening and breaks open connections. The port is free when it returns.
func (p *Port) Close() error { return p.stop() }
