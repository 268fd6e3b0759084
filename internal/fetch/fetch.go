// Package fetch reads manifests from https addresses on the public internet. It never connects to this machine or
// to a private network. It imports the root package and internal/outbound.
package fetch

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"syscall"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/outbound"
)

const (
	timeout  = 30 * time.Second
	maxBytes = 16 << 20
)

// Get returns what the https address serves. An address that must not be read is Denied, everything else that goes
// wrong is Unavailable. Errors do not contain the address, which may hold a secret.
func Get(address string) ([]byte, error) { return newClient(public).get(address) }

type client struct{ *http.Client }

// newClient returns a client that connects only to addresses that allowed accepts. It asks after the name was
// resolved, again for each connection and redirect. It uses no proxy, because a proxy resolves names itself.
func newClient(allowed func(netip.Addr) bool) client {
	control := func(_ context.Context, _, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err == nil && !allowed(ap.Addr().Unmap()) {
			return sluice.Errorf(sluice.Denied, "%s is not a public address", ap.Addr())
		}
		return err
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second, ControlContext: control}
	return client{&http.Client{
		Timeout: timeout,
		Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true, ForceAttemptHTTP2: true,
			TLSHandshakeTimeout: 10 * time.Second},
		CheckRedirect: outbound.Redirects{}.Check,
	}}
}

func (c client) get(address string) ([]byte, error) {
	resp, err := c.Get(address)
	if err != nil {
		return nil, withoutAddress(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, sluice.Errorf(sluice.Unavailable, "the server answers %s", resp.Status)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxBytes+1))
	if err != nil {
		return nil, sluice.Errorf(sluice.Unavailable, "%w", err)
	}
	if len(data) > maxBytes {
		return nil, sluice.Errorf(sluice.Unavailable, "it is larger than %d MiB", maxBytes>>20)
	}
	return data, nil
}

func withoutAddress(err error) error {
	if refused, ok := errors.AsType[*sluice.Error](err); ok {
		return sluice.Errorf(sluice.Denied, "%w", refused).WithHint("%s", refused.Hint)
	}
	if ue, ok := errors.AsType[*url.Error](err); ok && ue.Timeout() {
		return sluice.Errorf(sluice.Unavailable, "the server did not answer within %s", timeout)
	}
	why, hint := outbound.Explain(err, "")
	return sluice.Errorf(sluice.Unavailable, "%s", why).WithHint("%s", hint)
}

// special lists the ranges, besides those that netip knows, that lead to this machine, to a private network or nowhere.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("::/96"),
	netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("fec0::/10"),
}

// public reports whether the address belongs to the public internet.
func public(a netip.Addr) bool {
	a = a.WithZone("")
	within := func(p netip.Prefix) bool { return p.Contains(a) }
	return a.IsGlobalUnicast() && !a.IsPrivate() && !slices.ContainsFunc(special, within) && !outbound.IsThisMachine(a)
}
