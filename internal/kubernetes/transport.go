package kubernetes

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/sluice-cd/sluice"
)

// Transport returns what carries HTTP requests to the Service's port: inside of the cluster directly, elsewhere
// through the API server's service proxy. A request that the proxy would change or take for the API server's own
// goes to a forwarded port instead.
func (a *Account) Transport(ctx context.Context, namespace, service string, port int) (http.RoundTripper, error) {
	if _, err := a.service(ctx, namespace, service, port); err != nil {
		return nil, err
	}
	direct := http.DefaultTransport.(*http.Transport).Clone()
	direct.Proxy = nil // an address of this machine or of the cluster needs none
	direct.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		address, err := a.Address(ctx, namespace, service, port)
		if err != nil {
			return nil, err
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	direct.MaxIdleConnsPerHost = 2
	if a.isInside() {
		return direct, nil
	}
	return &serviceProxy{account: a, namespace: namespace, service: service, port: port, direct: direct}, nil
}

// A serviceProxy sends requests through the API server's proxy for a Service.
type serviceProxy struct {
	account            *Account
	namespace, service string
	port               int
	direct             http.RoundTripper // through a forwarded port
}

// RoundTrip sends the request to the Service, whatever host it names. What the API server itself says in the
// Service's place becomes an error.
func (p *serviceProxy) RoundTrip(req *http.Request) (*http.Response, error) {
	if isForAPIServer(req) {
		return p.direct.RoundTrip(req)
	}
	sent, prefix, err := p.request(req)
	if err != nil {
		return nil, err
	}
	resp, err := p.account.http.Transport.RoundTrip(sent)
	if err != nil {
		return nil, mapError(p.op(), unwrapURL(err))
	}
	if err := p.ownWords(resp); err != nil {
		_ = resp.Body.Close() // it was read
		return nil, err
	}
	resp.Request = req
	restore(resp, prefix)
	return resp, nil
}

func (p *serviceProxy) op() string { return "call Service/" + p.service }

// isForAPIServer reports whether the API server would take something in the request as meant for itself: then
// credentials of the Service would reach the wrong place and ours would not be used.
func isForAPIServer(req *http.Request) bool {
	for name := range req.Header {
		if name == "Authorization" || name == "Upgrade" || strings.HasPrefix(name, "Impersonate-") || strings.HasPrefix(name, "X-Remote-") {
			return true
		}
	}
	return req.URL.User != nil
}

// request returns the same request at the proxy, and the path that stands for the root of the Service.
func (p *serviceProxy) request(req *http.Request) (*http.Request, string, error) {
	name := fmt.Sprintf("%s:%d", p.service, p.port)
	if req.URL.Scheme == "https" {
		name = "https:" + name
	}
	prefix := namespaced("v1", p.namespace, "services", name, "proxy")
	at, err := p.account.url(prefix, nil)
	if err != nil {
		return nil, "", err
	}
	sent := req.Clone(req.Context())
	path := "/" + strings.TrimPrefix(req.URL.Path, "/")
	at.Path, at.RawPath = at.Path+path, at.EscapedPath()+"/"+strings.TrimPrefix(req.URL.EscapedPath(), "/")
	at.RawQuery = req.URL.RawQuery
	sent.URL, sent.Host, sent.RequestURI = at, "", ""
	// The API server cannot read every encoding of a page whose links it changes; without this header it is
	// asked for one that is undone on this side.
	sent.Header.Del("Accept-Encoding")
	return sent, prefix, nil
}

// unreachable is what the API server says where it cannot reach a pod.
const unreachable = "trying to reach service: "

// ownWords returns as an error what the API server says in the place of the Service.
func (p *serviceProxy) ownWords(resp *http.Response) error {
	if resp.StatusCode < http.StatusBadRequest {
		return nil
	}
	var said bytes.Buffer
	_, err := io.CopyN(&said, resp.Body, maxFailure)
	if err != nil && err != io.EOF {
		return mapError(p.op(), err)
	}
	if s, ok := statusOf(said.Bytes()); ok && (s.Status == "Failure") {
		return mapError(p.op(), asError(s))
	}
	if first, why, ok := strings.Cut(said.String(), unreachable); ok && first == "error " {
		return sluice.Errorf(sluice.Unavailable, "no pod behind Service/%s in the namespace %s answers: %s", p.service, p.namespace, strings.TrimSpace(why))
	}
	resp.Body = rejoined{io.MultiReader(&said, resp.Body), resp.Body}
	return nil
}

// rejoined puts back what was read ahead.
type rejoined struct {
	io.Reader
	io.Closer
}

// restore undoes what the proxy did to links: they are the Service's own again.
func restore(resp *http.Response, prefix string) {
	if location, err := url.Parse(resp.Header.Get("Location")); err == nil && location.Path != "" {
		if at := strings.Index(location.EscapedPath(), prefix); at >= 0 {
			rest := cmp.Or(location.EscapedPath()[at+len(prefix):], "/")
			if u, err := url.Parse(rest); err == nil {
				u.RawQuery, u.Fragment = location.RawQuery, location.Fragment
				resp.Header.Set("Location", u.String())
			}
		}
	}
	if kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err == nil && kind == "text/html" && resp.Body != nil {
		resp.Body = rejoined{&without{in: resp.Body, what: []byte(prefix)}, resp.Body}
		resp.ContentLength = -1
		resp.Header.Del("Content-Length")
	}
}

// without reads everything but the occurrences of what.
type without struct {
	in   io.Reader
	what []byte
	held []byte // read and not yet handed out
	err  error
}

func (w *without) Read(p []byte) (int, error) {
	for {
		ready := w.clean()
		if ready > 0 || len(p) == 0 {
			n := copy(p, w.held[:ready])
			w.held = w.held[n:]
			return n, nil
		}
		if w.err != nil {
			return 0, w.err
		}
		more := make([]byte, 16<<10)
		var n int
		n, w.err = w.in.Read(more)
		w.held = append(w.held, more[:n]...)
	}
}

// clean removes what is complete and returns how much cannot be the beginning of another occurrence.
func (w *without) clean() int {
	if i := bytes.Index(w.held, w.what); i >= 0 {
		if i > 0 {
			return i
		}
		w.held = w.held[len(w.what):]
		return w.clean()
	}
	if w.err != nil {
		return len(w.held)
	}
	for n := min(len(w.what)-1, len(w.held)); n > 0; n-- {
		if bytes.HasSuffix(w.held, w.what[:n]) {
			return len(w.held) - n
		}
	}
	return len(w.held)
}
