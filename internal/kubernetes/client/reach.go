package client

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"
)

// Reached is what an API server says about itself.
type Reached struct {
	Version string        // such as v1.34.4
	Latency time.Duration // of one call on an open connection
	Skew    time.Duration // how far its clock is ahead of this machine's, to the second
}

// Reach asks the API server for its version. It returns Unavailable if the server does not answer, and
// Unauthenticated if it refuses the credentials.
func (c *Client) Reach(ctx context.Context) (Reached, error) {
	if _, err := c.version(ctx); err != nil { // opens the connection
		return Reached{}, err
	}
	return c.version(ctx)
}

func (c *Client) version(ctx context.Context) (Reached, error) {
	const op = "ask the API server for its version"
	req, err := c.newRequest(ctx, Request{Op: op, Path: "/version"})
	if err != nil {
		return Reached{}, err
	}
	began := time.Now()
	resp, err := c.http.Do(req)
	if err != nil {
		return Reached{}, Wrap(op, err)
	}
	defer resp.Body.Close()
	r := Reached{Latency: time.Since(began)}
	if resp.StatusCode != http.StatusOK {
		return Reached{}, Wrap(op, failure(resp, req.Method))
	}
	var version struct {
		GitVersion string `json:"gitVersion"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, MaxFailure)).Decode(&version); err != nil {
		return Reached{}, Wrap(op, err)
	}
	r.Version, r.Skew = version.GitVersion, skew(resp.Header.Get("Date"), began, time.Now())
	return r, nil
}

// skew compares the server's date, which has no fractions of a second, with the time of the call. The server's clock
// may show any time of the call without a skew.
func skew(date string, began, ended time.Time) time.Duration {
	at, err := http.ParseTime(date)
	if err != nil {
		return 0
	}
	switch latest := at.Add(time.Second); {
	case at.After(ended):
		return at.Sub(ended).Round(time.Second)
	case latest.Before(began):
		return latest.Sub(began).Round(time.Second)
	}
	return 0
}
