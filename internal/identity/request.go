package identity

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
)

// from returns the address that the request came from, without the port. A proxy appends the address that called it, so
// only the last one of X-Forwarded-For is not the caller's own claim.
func (a *Authenticator) from(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	if !a.Server.BehindProxy {
		return host
	}
	forwarded := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	if ip, err := netip.ParseAddr(strings.TrimSpace(forwarded[len(forwarded)-1])); err == nil {
		return ip.String()
	}
	return host
}

// local takes a caller on this machine for its user. A page of another site can send requests to this machine too:
// under a name of its own that leads here, or without reading the answer.
func (a *Authenticator) local(r *http.Request) (access.Caller, error) {
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !remote.Addr().Unmap().IsLoopback() {
		return access.Caller{}, sluice.Errorf(sluice.Denied, "this server only answers its own machine").
			WithHint("add identity and roles to server in sluice.yaml")
	}
	if !isLocalName(r.Host) {
		return access.Caller{}, sluice.Errorf(sluice.Denied, "this server does not answer to the name %.100q", r.Host).
			WithHint("call it as localhost or 127.0.0.1")
	}
	if err := a.sameSite(r); err != nil {
		return access.Caller{}, err
	}
	return access.Everything(sluice.Actor{Name: a.User, Via: "api"}), nil
}

func isLocalName(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.Trim(host, "[]")
	}
	ip, err := netip.ParseAddr(name)
	return strings.EqualFold(name, "localhost") || err == nil && ip.Unmap().IsLoopback()
}

// sameSite refuses changes that a page of another site makes a browser send.
func (a *Authenticator) sameSite(r *http.Request) error {
	if err := a.origins.Check(r); err != nil {
		return sluice.Errorf(sluice.Denied, "a page of another site sent this request").
			WithHint("open the page of this server and do it there; behind a proxy, check address in sluice.yaml")
	}
	return nil
}
