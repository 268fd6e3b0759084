package proxy

import (
	"net"
	"time"
)

// Hold is how long a request or connection waits for an endpoint to become ready.
const Hold = 10 * time.Second

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
	p := &Port{Balancer: NewBalancer(), address: address, http: http}
	if http {
		p.stop = serveHTTP(l, p.Balancer)
		return p, nil
	}
	p.stop = serveTCP(l, p.Balancer)
	return p, nil
}

// Serves reports whether the port is what these arguments of Listen would make.
func (p *Port) Serves(address string, http bool) bool { return p.address == address && p.http == http }

// Close stops listening and breaks open connections.
func (p *Port) Close() error { return p.stop() }
