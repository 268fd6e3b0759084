// Package prometheus sends queries to a server with Prometheus' HTTP API. It imports the root package and the official
// client. Start reading at [New].
package prometheus

import (
	"context"
	"errors"
	"math"
	"net/http"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/sluice-cd/sluice"
)

// Options says how to reach the server. At most one of Password and Bearer is set.
type Options struct {
	Username string
	Password func(context.Context) (string, error) // called before each request, because it may change
	Bearer   func(context.Context) (string, error)
	HTTP     *http.Client // default http.DefaultClient; its timeout applies
}

// New returns the metrics of the server at the URL. It does not contact the server. An address that is not an http or
// https URL is Invalid.
func New(address string, o Options) (sluice.Metrics, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, sluice.Errorf(sluice.Invalid, "%q is not the URL of a Prometheus", address).
			WithHint("write it like http://localhost:9090")
	}
	client, err := api.NewClient(api.Config{Address: address, Client: authenticating(o)})
	if err != nil {
		return nil, sluice.Errorf(sluice.Invalid, "%q is not the URL of a Prometheus: %w", address, err)
	}
	return &server{u.Redacted(), v1.NewAPI(client)}, nil
}

type server struct {
	name string
	api  v1.API
}

// Measure returns the value of the query at the instant. The query MUST return a scalar or a vector of one element.
func (s *server) Measure(ctx context.Context, query string, at time.Time) (float64, error) {
	value, _, err := s.api.Query(ctx, query, at)
	if err != nil {
		return 0, s.explain(err)
	}
	switch v := value.(type) {
	case *model.Scalar:
		return number(float64(v.Value))
	case model.Vector:
		return single(v)
	}
	return 0, sluice.Errorf(sluice.Invalid, "the query returns a %s instead of one value", value.Type()).
		WithHint("aggregate it, for instance with sum() or avg_over_time()")
}

func single(v model.Vector) (float64, error) {
	switch len(v) {
	case 0:
		return 0, sluice.Errorf(sluice.NotFound, "the query has no data at that time").
			WithHint("if no data means zero, append: or on() vector(0)")
	case 1:
		return number(float64(v[0].Value))
	}
	return 0, sluice.Errorf(sluice.Invalid, "the query returns %d values instead of one", len(v)).
		WithHint("aggregate them, for instance with sum() or max()")
}

// number refuses values that cannot be compared with a limit.
func number(f float64) (float64, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, sluice.Errorf(sluice.NotFound, "the query returns %v, which is not a number", f).
			WithHint("a division by zero gives this; guard the divisor with: > 0")
	}
	return f, nil
}

// explain distinguishes a wrong query from a server that is away.
func (s *server) explain(err error) error {
	e, ok := errors.AsType[*v1.Error](err)
	if !ok {
		return s.away(err)
	}
	switch e.Type {
	case v1.ErrBadData, v1.ErrExec:
		return sluice.Errorf(sluice.Invalid, "Prometheus at %s refuses the query: %s", s.name, e.Msg).
			WithHint("try it at %s/graph, and correct it under analysis: queries in the deploy file", s.name)
	case v1.ErrClient:
		return sluice.Errorf(sluice.Invalid, "Prometheus at %s refuses the request: %s", s.name, e.Msg).
			WithHint("check the URL and the credentials under metrics in sluice.yaml")
	}
	return s.away(err)
}

func (s *server) away(err error) error {
	if _, ok := errors.AsType[*sluice.Error](err); ok {
		return err
	}
	return sluice.Errorf(sluice.Unavailable, "Prometheus at %s does not answer: %w", s.name, err).
		WithHint("check that it runs: curl %s/-/ready", s.name)
}

// authenticating returns a client that adds the credentials to each request.
func authenticating(o Options) *http.Client {
	client := http.Client{}
	if o.HTTP != nil {
		client = *o.HTTP
	}
	next := client.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	client.Transport = &credentials{o, next}
	return &client
}

type credentials struct {
	Options
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (c *credentials) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	switch {
	case c.Bearer != nil:
		token, err := c.Bearer(r.Context())
		if err != nil {
			return nil, sluice.Errorf(sluice.Invalid, "the token for Prometheus cannot be read: %w", err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
	case c.Password != nil:
		password, err := c.Password(r.Context())
		if err != nil {
			return nil, sluice.Errorf(sluice.Invalid, "the password for Prometheus cannot be read: %w", err)
		}
		r.SetBasicAuth(c.Username, password)
	}
	return c.next.RoundTrip(r)
}
