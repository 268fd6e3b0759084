package outbound

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/sluice-cd/sluice"
)

const mostRedirects = 10

// Redirects says what a call carries. A redirect that would lose the method or the body is refused, and so is one that
// gives up encryption. Another host gets no secrets.
type Redirects struct {
	Headers []string // that hold secrets, besides Authorization and Cookie
	Body    bool     // the body holds a secret
}

// Check implements the CheckRedirect of a client. Its errors are Failed and name only the host.
func (p Redirects) Check(r *http.Request, via []*http.Request) error {
	first, status := via[0], r.Response.StatusCode
	keeps := status == http.StatusTemporaryRedirect || status == http.StatusPermanentRedirect
	elsewhere := !sameHost(first.URL, r.URL) ||
		slices.ContainsFunc(via, func(v *http.Request) bool { return !sameHost(first.URL, v.URL) })
	switch {
	case !keeps && (r.Method != first.Method || first.ContentLength != 0):
		return sluice.Errorf(sluice.Failed, "it answers %d, a redirect to %s that would lose the method and the body",
			status, r.URL.Host).WithHint("write the address that it redirects to, or let it answer 307 or 308")
	case via[len(via)-1].URL.Scheme == "https" && r.URL.Scheme != "https":
		return sluice.Errorf(sluice.Failed, "it redirects to %s without encryption", r.URL.Host).
			WithHint("have it redirect to an https address")
	case len(via) > mostRedirects:
		return sluice.Errorf(sluice.Failed, "it redirects more than %d times", mostRedirects).
			WithHint("write the address that it finally redirects to")
	case elsewhere && p.Body:
		return sluice.Errorf(sluice.Failed, "it redirects to another host, %s, which must not get the secret in the body",
			r.URL.Host).WithHint("write that host into the address, if it is meant")
	}
	r.Header.Del("Referer") // an address may hold a secret
	if elsewhere {
		for _, name := range append([]string{"Authorization", "Cookie"}, p.Headers...) {
			r.Header.Del(name)
		}
	}
	return nil
}

// sameHost reports whether both addresses lead to the same server. The default ports of http and https belong together.
func sameHost(a, b *url.URL) bool {
	return a.Hostname() == b.Hostname() && (a.Port() == b.Port() || isDefault(a) && isDefault(b))
}

func isDefault(u *url.URL) bool {
	return u.Port() == "" || u.Scheme == "http" && u.Port() == "80" || u.Scheme == "https" && u.Port() == "443"
}
