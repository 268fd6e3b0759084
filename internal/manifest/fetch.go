package manifest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"syscall"
	"time"
)

const (
	fetchTimeout  = 30 * time.Second
	mostRedirects = 5
)

// address takes the manifests at an https address.
func (l *loader) address() {
	u, err := url.Parse(l.src.Path)
	if err != nil || u.Host == "" {
		l.report(codeAddressRefused, "write it like https://example.com/app.yaml", "%s is no address", l.src.Path)
		return
	}
	shown := (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String() // what else it has may be secret
	switch {
	case u.Scheme != "https":
		l.report(codeAddressRefused, "use https, or download it into the repository and name the file", "manifests are read over https only: %s", shown)
		return
	case !l.options.Fetch:
		l.report(codeAddressRefused, "add --fetch, or download it into the repository and name the file", "reading manifests from addresses was not allowed: %s", shown)
		return
	}
	data, err := outside.get(u.String())
	if refused, ok := errors.AsType[*refusedError](err); ok {
		l.report(codeAddressRefused, "download it into the repository and name the file", "%s is not read: %s", shown, refused)
		return
	}
	if err != nil {
		l.report(codeAddressUnreadable, "correct the address, or download it into the repository and name the file", "%s cannot be read: %s", shown, fetchReason(err))
		return
	}
	before := len(l.ds)
	l.made(shown, data)
	if len(l.objects) == 0 && len(l.ds) == before {
		l.report(codeEmptySource, "name an address with manifests", "%s holds no object", shown)
	}
}

// fetchReason returns the cause without the address, which the message names and which may hold what is secret.
func fetchReason(err error) string {
	if ue, ok := errors.AsType[*url.Error](err); ok {
		if ue.Timeout() {
			return fmt.Sprintf("there was no answer within %s", fetchTimeout)
		}
		return ue.Err.Error()
	}
	return err.Error()
}

// A refusedError says why an address is never read, whatever the network does.
type refusedError struct{ why string }

func (e *refusedError) Error() string { return e.why }

// outside reads from public addresses only.
var outside = newFetcher(public)

type fetcher struct{ client *http.Client }

// newFetcher returns a fetcher that connects only to what allowed says, asked for the address after the name was
// resolved, for each connection and redirect anew. It uses no proxy: one would resolve names itself.
func newFetcher(allowed func(netip.Addr) bool) *fetcher {
	dialer := &net.Dialer{Timeout: 10 * time.Second, ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		if !allowed(ap.Addr().Unmap()) {
			return &refusedError{fmt.Sprintf("%s is not a public address", ap.Addr())}
		}
		return nil
	}}
	return &fetcher{&http.Client{
		Timeout:   fetchTimeout,
		Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 10 * time.Second},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if r.URL.Scheme != "https" {
				return &refusedError{"it leads to an address that is not https"}
			}
			if len(via) > mostRedirects {
				return &refusedError{fmt.Sprintf("it leads on more than %d times", mostRedirects)}
			}
			return nil
		},
	}}
}

func (f *fetcher) get(address string) ([]byte, error) {
	resp, err := f.client.Get(address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server answers %s", resp.Status)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxBytes+1))
	if err == nil && len(data) > maxBytes {
		err = fmt.Errorf("it is larger than %d MiB", maxBytes>>20)
	}
	return data, err
}

// special are ranges that lead to this machine, to private networks or to nobody, besides those that netip knows.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("::/96"),
	netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("fec0::/10"),
}

// public reports whether the address belongs to the internet and to nobody in particular here.
func public(a netip.Addr) bool {
	a = a.WithZone("")
	return a.IsGlobalUnicast() && !a.IsPrivate() && !slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(a) })
}
