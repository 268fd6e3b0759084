package kubernetes

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"
)

// Reached is what an API server says of itself.
type Reached struct {
	Version string        // such as v1.34.4
	Latency time.Duration // of one call on an open connection
	Skew    time.Duration // how far its clock is ahead of this machine's, to the second
}

// Reach asks the API server for its version. Unavailable where it does not answer, Denied where it does not know
// the credentials.
func (a *Account) Reach(ctx context.Context) (Reached, error) {
	if _, err := a.ask(ctx); err != nil { // opens the connection
		return Reached{}, err
	}
	return a.ask(ctx)
}

func (a *Account) ask(ctx context.Context) (Reached, error) {
	const op = "ask the API server for its version"
	req, err := a.request(ctx, request{op: op, path: "/version"})
	if err != nil {
		return Reached{}, err
	}
	began := time.Now()
	resp, err := a.http.Do(req)
	if err != nil {
		return Reached{}, mapError(op, unwrapURL(err))
	}
	defer resp.Body.Close()
	r := Reached{Latency: time.Since(began)}
	if resp.StatusCode != http.StatusOK {
		return Reached{}, mapError(op, statusError(resp, req.Method))
	}
	var version struct {
		GitVersion string `json:"gitVersion"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxFailure)).Decode(&version); err != nil {
		return Reached{}, mapError(op, err)
	}
	r.Version, r.Skew = version.GitVersion, skew(resp.Header.Get("Date"), began, time.Now())
	return r, nil
}

// skew compares the server's date, which has no fractions of a second, with the time between began and ended.
// What lies between them is no skew.
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
