package proxy

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"time"
)

var errNoEndpoint = errors.New("no pod behind this Service is ready")

func serveHTTP(l net.Listener, b *Balancer) (stop func() error) {
	quiet := log.New(io.Discard, "", 0)
	transport := newTransport(b)
	s := &http.Server{
		Handler: &httputil.ReverseProxy{
			Rewrite:       rewrite,
			Transport:     transport,
			FlushInterval: -1,
			ErrorLog:      quiet,
			ErrorHandler:  refuse,
		},
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          quiet,
	}
	go func() { _ = s.Serve(l) }() // it ends with the listener
	return func() error {
		transport.pool.CloseIdleConnections()
		return s.Close()
	}
}

func rewrite(r *httputil.ProxyRequest) {
	r.Out.URL.Scheme = "http"
	r.Out.URL.Host = "service" // the transport knows the endpoint
	r.Out.Host = r.In.Host
	r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
	r.SetXForwarded()
}

func refuse(w http.ResponseWriter, _ *http.Request, err error) {
	if errors.Is(err, errNoEndpoint) {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	http.Error(w, "the pod did not answer", http.StatusBadGateway)
}

// A transport sends each request to an endpoint of the balancer's choice.
type transport struct {
	balancer *Balancer
	pool     *http.Transport
}

func newTransport(b *Balancer) *transport {
	return &transport{balancer: b, pool: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
		MaxIdleConnsPerHost: 256,
		// Shorter than the idle timeouts of common servers, so that they never close first.
		IdleConnTimeout:    3 * time.Second,
		DisableCompression: true,
	}}
}

// RoundTrip tries one endpoint after the other until it reaches one: nothing was sent before.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	body := r.Body
	if body != nil {
		defer body.Close()
	}
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	search := t.balancer.search()
	for {
		e, release, err := search.next(ctx)
		if err != nil {
			return nil, errNoEndpoint
		}
		resp, err := t.try(r, body, e, release)
		if err == nil || !isDial(err) || r.Context().Err() != nil {
			return resp, err
		}
		search.refuse(e)
	}
}

func (t *transport) try(r *http.Request, body io.ReadCloser, e Endpoint, release func()) (*http.Response, error) {
	out := r.Clone(r.Context())
	out.URL.Host = e.Address
	if body != nil {
		out.Body = io.NopCloser(body) // a failed dial closes the body, and the next try needs it
	}
	if r.Body == http.NoBody {
		out.Body = http.NoBody
	}
	resp, err := t.pool.RoundTrip(out)
	if err != nil {
		release()
		return nil, err
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		release()
		return resp, nil
	}
	resp.Body = &trackedBody{ReadCloser: resp.Body, release: release}
	return resp, nil
}

func isDial(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

// A trackedBody counts as a request under way until it is closed.
type trackedBody struct {
	io.ReadCloser
	release func()
}

// Close ends the request.
func (b *trackedBody) Close() error {
	defer b.release()
	return b.ReadCloser.Close()
}
