package remote

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
)

// Inside reaches only Services of the namespace, and pods behind them, whatever namespace an address names: a copy must
// not reach what it was copied from.
func Inside(namespace string) sluice.Dial {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		var all error
		for _, name := range inside(host) {
			there := net.JoinHostPort(name+"."+namespace+".svc", port)
			conn, err := (&net.Dialer{}).DialContext(ctx, network, there)
			if err == nil {
				return conn, nil
			}
			all = errors.Join(all, err)
		}
		return nil, all
	}
}

// inside returns what a host may be called inside its namespace: mongo, or mongo-0.mongo for a pod behind a Service. Of
// two labels the second may be a Service or a namespace.
func inside(host string) []string {
	labels := strings.Split(host, ".")
	if i := slices.Index(labels, "svc"); i > 1 {
		return []string{strings.Join(labels[:i-1], ".")}
	}
	if len(labels) == 1 {
		return labels
	}
	return []string{labels[0] + "." + labels[1], labels[0]}
}
