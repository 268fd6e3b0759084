package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net"
	"net/http"
	"net/url"
	"strconv"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

// A Client talks to the engine behind a socket. Every method returns Unavailable if nobody answers.
type Client struct {
	http *http.Client
	base string
}

var _ Engine = (*Client)(nil)

// NewClient returns a client of the socket. It connects when it is used.
func NewClient(socket string) *Client {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, socket) },
	}
	return &Client{http: &http.Client{Transport: transport}, base: "http://sluice"}
}

// Close closes the connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Start submits the plan.
func (c *Client) Start(ctx context.Context, plan *sluice.Plan, by sluice.Actor) (sluice.DeploymentID, error) {
	var response startResponse
	err := c.call(ctx, http.MethodPost, "/deployments", startRequest{plan, by}, &response)
	return response.ID, err
}

// Deployments lists the deployments of the application, or all if it is "", newest first.
func (c *Client) Deployments(ctx context.Context, application string) ([]sluice.Deployment, error) {
	var deployments []sluice.Deployment
	err := c.call(ctx, http.MethodGet, "/deployments?application="+url.QueryEscape(application), nil, &deployments)
	return deployments, err
}

// Signal passes the signal to the engine's Signal.
func (c *Client) Signal(ctx context.Context, id sluice.DeploymentID, sig sluice.Signal) error {
	return c.call(ctx, http.MethodPost, "/deployments/"+url.PathEscape(string(id))+"/signals", sig, nil)
}

// Watch yields what the engine's Watch yields. If the engine stops, Watch ends with Unavailable.
func (c *Client) Watch(ctx context.Context, id sluice.DeploymentID, after sluice.Seq) iter.Seq2[engine.Update, error] {
	return func(yield func(engine.Update, error) bool) {
		path := "/deployments/" + url.PathEscape(string(id)) + "/events?after=" + strconv.FormatInt(int64(after), 10)
		resp, err := c.do(ctx, http.MethodGet, path, nil)
		if err != nil {
			yield(engine.Update{}, err)
			return
		}
		defer resp.Body.Close()
		decoder := json.NewDecoder(resp.Body)
		for {
			var l line
			err := decoder.Decode(&l)
			if errors.Is(err, io.EOF) || ctx.Err() != nil {
				return
			}
			if err != nil {
				yield(engine.Update{}, away(err))
				return
			}
			if l.Error != nil {
				yield(engine.Update{}, l.Error.error())
				return
			}
			if !yield(l.Update, nil) {
				return
			}
		}
	}
}

func (c *Client) call(ctx context.Context, method, path string, request, response any) error {
	resp, err := c.do(ctx, method, path, request)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if response == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(response); err != nil {
		return away(err)
	}
	return nil
}

func (c *Client) do(ctx context.Context, method, path string, request any) (*http.Response, error) {
	var body io.Reader
	if request != nil {
		data, err := json.Marshal(request)
		if err != nil {
			return nil, sluice.Errorf(sluice.Internal, "the request cannot be written as JSON: %w", err)
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, sluice.Errorf(sluice.Internal, "make the request: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, away(err)
	}
	if resp.StatusCode >= http.StatusBadRequest {
		defer resp.Body.Close()
		return nil, readError(resp)
	}
	return resp, nil
}

func away(err error) error {
	return &sluice.Error{Code: sluice.Unavailable, Message: "the running engine does not answer",
		Hint: "go on with: sluice run --resume", Err: err}
}
