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

// A Client talks to the engine behind a socket. Its methods return Unavailable if nobody answers.
type Client struct {
	http http.Client
}

var _ Engine = (*Client)(nil)

// Connect returns a client of the socket, or Unavailable if nobody listens there.
func Connect(ctx context.Context, socket string) (*Client, error) {
	conn, err := dial(ctx, socket)
	if err != nil {
		return nil, away(err)
	}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, socket) },
	}
	return &Client{http.Client{Transport: transport}}, conn.Close()
}

// Close closes the connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Start submits the plan.
func (c *Client) Start(ctx context.Context, plan *sluice.Plan, by sluice.Actor) (sluice.DeploymentID, error) {
	var response startResponse
	err := c.post(ctx, "/deployments", startRequest{plan, by}, &response)
	return response.ID, err
}

// Reopen goes on with the undo of a deployment.
func (c *Client) Reopen(ctx context.Context, id sluice.DeploymentID, by sluice.Actor) error {
	return c.post(ctx, "/deployments/"+url.PathEscape(string(id))+"/reopening", startRequest{Actor: by}, &struct{}{})
}

func (c *Client) post(ctx context.Context, path string, request startRequest, answer any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return sluice.Errorf(sluice.Internal, "the request cannot be written as JSON: %w", err)
	}
	resp, err := c.do(ctx, http.MethodPost, path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(answer); err != nil {
		return away(err)
	}
	return nil
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

func (c *Client) do(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://sluice"+path, body)
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
