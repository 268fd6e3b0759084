package api

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sluice-cd/sluice"
)

// How long a client tries again while a server is away: one that has answered before as long as a restart of it may
// take, another one, whose address may be wrong, for a moment.
const (
	patience = 2 * time.Minute
	doubt    = 5 * time.Second
)

// pause is how long a client waits before it tries again.
const pause = time.Second

// A Client talks to a server. Its methods return what the server returned, or Unavailable if nobody answers. What it
// sends may be sent again: a request that begins something has a key by which the server knows a repetition.
type Client struct {
	base  *url.URL
	http  *http.Client
	token func(ctx context.Context) (string, error)
	met   *atomic.Bool // the server has answered
	// direct says that the server is a process of the same machine: if it is away, it will not come back.
	direct bool
}

// Connect returns a client of the server at the address, such as https://sluice.example.com. token is asked before each
// request; "" sends none. It connects to nobody yet.
func Connect(address string, token func(context.Context) (string, error), h *http.Client) (*Client, error) {
	base, err := url.Parse(strings.TrimRight(address, "/"))
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, sluice.Errorf(sluice.Invalid, "%q is not the address of a server", address).
			WithHint("write it like https://sluice.example.com")
	}
	same := *h
	same.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{base: base, http: &same, token: token, met: new(atomic.Bool)}, nil
}

// Direct returns a client of a process of this machine, to which the transport of h leads. It sends the token with each
// request, and tries nothing again.
func Direct(token string, h *http.Client) *Client {
	give := func(context.Context) (string, error) { return token, nil }
	base := &url.URL{Scheme: "http", Host: "sluice"}
	return &Client{base: base, http: h, token: give, met: new(atomic.Bool), direct: true}
}

// Close closes the connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Address returns the address of the server.
func (c *Client) Address() string { return c.base.String() }

// A call is one request of a client.
type call struct {
	method, path string
	query        url.Values
	body         any
	key          string // the idempotency key; a call without one that is not a GET is not repeated
	last         string // Last-Event-ID
}

// newKey returns an idempotency key.
func newKey() string { return rand.Text() }

// do sends the call, again while the server is away, and reads the answer into out.
func (c *Client) do(ctx context.Context, r call, out any) error {
	begun := time.Now()
	for {
		resp, err := c.send(ctx, r)
		if err == nil {
			err = c.read(resp, out)
		}
		repeatable := r.method == http.MethodGet || r.key != ""
		if sluice.ErrorCode(err) != sluice.Unavailable || !repeatable || c.gaveUp(begun) || ctx.Err() != nil {
			return err
		}
		if !wait(ctx, pause) {
			return ctx.Err()
		}
	}
}

// gaveUp reports whether a server that is away since then is not worth waiting for any longer.
func (c *Client) gaveUp(since time.Time) bool {
	if c.direct {
		return true
	}
	if c.met.Load() {
		return time.Since(since) > patience
	}
	return time.Since(since) > doubt
}

func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (c *Client) read(resp *http.Response, out any) error {
	defer resp.Body.Close()
	if out == nil || resp.StatusCode == http.StatusNoContent {
		_, err := io.Copy(io.Discard, resp.Body)
		return c.away(err)
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return c.away(err)
	}
	return nil
}

// send sends the call once. An answer that is an error is returned as one.
func (c *Client) send(ctx context.Context, r call) (*http.Response, error) {
	req, err := c.request(ctx, r)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, c.away(err)
	}
	c.met.Store(true)
	if resp.StatusCode >= http.StatusMultipleChoices {
		defer resp.Body.Close()
		return nil, c.readProblem(resp)
	}
	return resp, nil
}

func (c *Client) request(ctx context.Context, r call) (*http.Request, error) {
	var content io.Reader
	if r.body != nil {
		data, err := json.Marshal(r.body)
		if err != nil {
			return nil, sluice.Errorf(sluice.Internal, "the request cannot be written as JSON: %w", err)
		}
		content = bytes.NewReader(data)
	}
	u := c.base.JoinPath(Prefix, r.path)
	u.RawQuery = r.query.Encode()
	req, err := http.NewRequestWithContext(ctx, r.method, u.String(), content)
	if err != nil {
		return nil, sluice.Errorf(sluice.Internal, "make the request: %w", err)
	}
	token, err := c.token(ctx)
	if err != nil {
		return nil, err
	}
	if token != "" {
		token = "Bearer " + token
	}
	for name, value := range map[string]string{
		"Authorization": token, "Idempotency-Key": r.key, "Last-Event-ID": r.last, "Content-Type": "application/json",
	} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	return req, nil
}

// away is the error of a server that does not answer, nil without a cause.
func (c *Client) away(err error) error {
	if err == nil {
		return nil
	}
	if c.direct {
		return &sluice.Error{Code: sluice.Unavailable, Message: "the running engine does not answer",
			Hint: "go on with: sluice run --resume", Err: err}
	}
	if ue, ok := errors.AsType[*url.Error](err); ok {
		err = ue.Err // the address is in the message already
	}
	return sluice.Errorf(sluice.Unavailable, "the server at %s does not answer: %w", c.Address(), err).
		WithHint("see whether the address is right, and try again")
}
