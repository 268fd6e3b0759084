package network

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
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
)

// Transport returns what carries HTTP requests to the Service's port, whatever host they name. Inside of the cluster
// they go there directly, elsewhere through the API server's proxy for the Service. A request that the API server would
// change, or take as meant for itself, goes through a forwarded port instead.
func (n *Network) Transport(ctx context.Context, namespace, service string, port int) (http.RoundTripper, error) {
	if _, err := n.service(ctx, namespace, service, port); err != nil {
		return nil, err
	}
	direct := http.DefaultTransport.(*http.Transport).Clone()
	direct.Proxy = nil // an address of this machine or of the cluster needs none
	direct.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		address, err := n.Address(ctx, namespace, service, port)
		if err != nil {
			return nil, err
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	direct.MaxIdleConnsPerHost = 2
	if n.client.IsInside() {
		return direct, nil
	}
	return &serviceProxy{client: n.client, namespace: namespace, service: service, port: port, direct: direct}, nil
}

// A serviceProxy sends requests through the API server's proxy for a Service.
type serviceProxy struct {
	client             *client.Client
	namespace, service string
	port               int
	direct             http.RoundTripper // through a forwarded port
}

// RoundTrip sends the request to the Service, whatever host it names. An answer of the API server itself becomes an
// error.
func (p *serviceProxy) RoundTrip(req *http.Request) (*http.Response, error) {
	if isForAPIServer(req) {
		return p.direct.RoundTrip(req)
	}
	sent, prefix, err := p.request(req)
	if err != nil {
		return nil, err
	}
	resp, err := p.client.RoundTrip(sent)
	if err != nil {
		return nil, client.Wrap(p.op(), err)
	}
	if err := p.proxyError(resp); err != nil {
		_ = resp.Body.Close() // it has been read
		return nil, err
	}
	resp.Request = req
	removePrefix(resp, prefix)
	return resp, nil
}

func (p *serviceProxy) op() string { return "call Service/" + p.service }

// isForAPIServer reports whether the API server would take a part of the request as meant for itself. The Service's
// credentials would then reach the API server, which would ignore the account's own.
func isForAPIServer(req *http.Request) bool {
	for name := range req.Header {
		if name == "Authorization" || name == "Upgrade" || strings.HasPrefix(name, "Impersonate-") ||
			strings.HasPrefix(name, "X-Remote-") {
			return true
		}
	}
	return req.URL.User != nil
}

// request returns the request for the proxy, and the path that is the root of the Service there.
func (p *serviceProxy) request(req *http.Request) (*http.Request, string, error) {
	name := fmt.Sprintf("%s:%d", p.service, p.port)
	if req.URL.Scheme == "https" {
		name = "https:" + name
	}
	prefix := client.Path("v1", p.namespace, "services", name, "proxy")
	at, err := p.client.URL(prefix, nil)
	if err != nil {
		return nil, "", err
	}
	sent := req.Clone(req.Context())
	path := "/" + strings.TrimPrefix(req.URL.Path, "/")
	at.Path, at.RawPath = at.Path+path, at.EscapedPath()+"/"+strings.TrimPrefix(req.URL.EscapedPath(), "/")
	at.RawQuery = req.URL.RawQuery
	sent.URL, sent.Host, sent.RequestURI = at, "", ""
	// The API server changes links in pages, but cannot read every encoding of them. Without this header, Go's own
	// transport asks for an encoding and decodes it.
	sent.Header.Del("Accept-Encoding")
	return sent, prefix, nil
}

// unreachable is in the API server's answer if it cannot reach a pod.
const unreachable = "trying to reach service: "

// proxyError returns an error if the API server answered instead of the Service.
func (p *serviceProxy) proxyError(resp *http.Response) error {
	if resp.StatusCode < http.StatusBadRequest {
		return nil
	}
	var said bytes.Buffer
	_, err := io.CopyN(&said, resp.Body, client.MaxFailure)
	if err != nil && err != io.EOF {
		return client.Wrap(p.op(), err)
	}
	if err := client.ParseStatus(said.Bytes()); err != nil {
		return client.Wrap(p.op(), err)
	}
	if first, why, ok := strings.Cut(said.String(), unreachable); ok && first == "error " {
		return sluice.Errorf(sluice.Unavailable, "no pod behind Service/%s in the namespace %s answers: %s",
			p.service, p.namespace, strings.TrimSpace(why))
	}
	resp.Body = rejoined{io.MultiReader(&said, resp.Body), resp.Body}
	return nil
}

// A rejoined body begins with what was read ahead.
type rejoined struct {
	io.Reader
	io.Closer
}

// removePrefix undoes the proxy's changes of links, so that they are the Service's own again.
func removePrefix(resp *http.Response, prefix string) {
	if location, err := url.Parse(resp.Header.Get("Location")); err == nil && location.Path != "" {
		if at := strings.Index(location.EscapedPath(), prefix); at >= 0 {
			rest := cmp.Or(location.EscapedPath()[at+len(prefix):], "/")
			if u, err := url.Parse(rest); err == nil {
				u.RawQuery, u.Fragment = location.RawQuery, location.Fragment
				resp.Header.Set("Location", u.String())
			}
		}
	}
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err == nil && kind == "text/html" && resp.Body != nil {
		resp.Body = rejoined{&removingReader{in: resp.Body, what: []byte(prefix)}, resp.Body}
		resp.ContentLength = -1
		resp.Header.Del("Content-Length")
	}
}

// A removingReader reads everything except the occurrences of what.
type removingReader struct {
	in   io.Reader
	what []byte
	held []byte // read and not yet handed out
	err  error
}

func (r *removingReader) Read(p []byte) (int, error) {
	for {
		ready := r.clean()
		if ready > 0 || len(p) == 0 {
			n := copy(p, r.held[:ready])
			r.held = r.held[n:]
			return n, nil
		}
		if r.err != nil {
			return 0, r.err
		}
		more := make([]byte, 16<<10)
		var n int
		n, r.err = r.in.Read(more)
		r.held = append(r.held, more[:n]...)
	}
}

// clean removes a complete occurrence and returns how many bytes cannot be the beginning of another one.
func (r *removingReader) clean() int {
	if i := bytes.Index(r.held, r.what); i >= 0 {
		if i > 0 {
			return i
		}
		r.held = r.held[len(r.what):]
		return r.clean()
	}
	if r.err != nil {
		return len(r.held)
	}
	for n := min(len(r.what)-1, len(r.held)); n > 0; n-- {
		if bytes.HasSuffix(r.held, r.what[:n]) {
			return len(r.held) - n
		}
	}
	return len(r.held)
}
