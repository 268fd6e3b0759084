package bootstrap

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/outbound"
)

// webhookClient calls webhooks. It refuses addresses of this machine and link-local ones, such as those where
// clouds hand out credentials, unless the host is allowed by name. It looks at the address that is really
// dialled: a name may resolve to anything.
func webhookClient(w config.Webhooks) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil // a proxy would hide the address
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		d := net.Dialer{Timeout: 10 * time.Second}
		host, _, err := net.SplitHostPort(address)
		if err == nil && !slices.Contains(w.Allow, host) && !slices.Contains(w.Allow, address) {
			d.Control = func(_, resolved string, _ syscall.RawConn) error { return refusePrivate(host, resolved) }
		}
		return d.DialContext(ctx, network, address)
	}
	return &http.Client{Transport: outbound.Trust(transport, w.CAFile), Timeout: time.Minute}
}

func refusePrivate(host, resolved string) error {
	at, err := netip.ParseAddrPort(resolved)
	if err != nil {
		return sluice.Errorf(sluice.Denied, "webhooks may not call the address %q", resolved)
	}
	ip := at.Addr().Unmap()
	if outbound.IsThisMachine(ip) || ip.IsLinkLocalUnicast() || ip.IsMulticast() {
		return sluice.Errorf(sluice.Denied, "a webhook calls %s, an address of this machine or a link-local one", host).
			WithHint("allow it in sluice.yaml: webhooks: {allow: [%q]}", host)
	}
	return nil
}
