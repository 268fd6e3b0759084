// Package prometheus sends queries to a server with Prometheus' HTTP API. It imports the root package,
// internal/outbound and the official client. Start reading at [New].
package prometheus

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/outbound"
)

// Options says how to reach the server. At most one of Password and Bearer is set.
type Options struct {
	Username string
	Password func(context.Context) (string, error) // called before each request, because it may change
	Bearer   func(context.Context) (string, error)
	CAFile   string // a PEM file of certificates to trust besides the system's
}

// New returns the metrics of the server at the URL. It does not contact the server. An address that is not an http or
// https URL is Invalid.
func New(address string, o Options) (sluice.Metrics, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, sluice.Errorf(sluice.Invalid, "%q is not the URL of a Prometheus", address).
			WithHint("write it like http://localhost:9090")
	}
	next := outbound.Trust(http.DefaultTransport.(*http.Transport).Clone(), o.CAFile)
	client := &http.Client{Transport: &credentials{o, u.Host, next}, CheckRedirect: outbound.Redirects{}.Check}
	c, err := api.NewClient(api.Config{Address: address, Client: client})
	if err != nil {
		return nil, sluice.Errorf(sluice.Invalid, "%q is not the URL of a Prometheus: %w", address, err)
	}
	return &server{u.Redacted(), v1.NewAPI(c)}, nil
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
			WithHint("look whether it has these labels; if only an empty sum means zero, write: (sum(...) or vector(0))")
	case 1:
		if v[0].Histogram != nil {
			return 0, sluice.Errorf(sluice.Invalid, "the query returns a histogram instead of one value").
				WithHint("take a value from it, for instance with histogram_quantile(0.99, ...) or histogram_count(...)")
		}
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

// explain distinguishes a malformed query, which no later answer heals, from everything else.
func (s *server) explain(err error) error {
	e, ok := errors.AsType[*v1.Error](err)
	if !ok {
		return s.away(err)
	}
	tryIt := fmt.Sprintf("try it at %s/graph, and correct it under analysis: queries in the deploy file", s.name)
	switch e.Type {
	case v1.ErrBadData:
		return sluice.Errorf(sluice.Invalid, "Prometheus at %s refuses the query: %s", s.name, brief(e.Msg)).
			WithHint("%s", tryIt)
	case v1.ErrExec:
		return sluice.Errorf(sluice.Unavailable, "Prometheus at %s cannot evaluate the query: %s", s.name, brief(e.Msg)).
			WithHint("its store may be away; otherwise %s", tryIt)
	}
	// The client writes the status, and nothing else, at the end of the message.
	if code, err := strconv.Atoi(e.Msg[strings.LastIndex(e.Msg, " ")+1:]); err == nil {
		answer := brief(fmt.Sprintf("%d: %s", code, e.Detail))
		return sluice.Errorf(sluice.Unavailable, "Prometheus at %s answers %s", s.name, answer).
			WithHint("%s", outbound.StatusHint(code))
	}
	return sluice.Errorf(sluice.Unavailable, "%s does not answer as Prometheus does: %s", s.name, brief(e.Msg)).
		WithHint("check that the URL under metrics in sluice.yaml is that of a Prometheus")
}

// brief returns the beginning of an answer in one line.
func brief(text string) string {
	const most = 200
	isGap := func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }
	text = strings.Join(strings.FieldsFunc(text, isGap), " ")
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "..."
	}
	return text
}

func (s *server) away(err error) error {
	if e, ok := errors.AsType[*sluice.Error](err); ok {
		return sluice.Errorf(sluice.Unavailable, "Prometheus at %s: %w", s.name, e).WithHint("%s", e.Hint)
	}
	why, hint := outbound.Explain(err, "metrics: {NAME: {caFile: FILE}}")
	if hint == "" {
		hint = "check that it runs: curl " + s.name + "/-/ready"
	}
	return sluice.Errorf(sluice.Unavailable, "Prometheus at %s does not answer: %s", s.name, why).WithHint("%s", hint)
}

// credentials adds them to each request to the host. A redirect elsewhere gets none.
type credentials struct {
	Options
	host string
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (c *credentials) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != c.host {
		return c.next.RoundTrip(r)
	}
	r = r.Clone(r.Context())
	switch {
	case c.Bearer != nil:
		token, err := c.Bearer(r.Context())
		if err != nil {
			return nil, sluice.Errorf(sluice.Unavailable, "the token cannot be read: %w", err).
				WithHint("%s", sluice.ErrorHint(err))
		}
		r.Header.Set("Authorization", "Bearer "+token)
	case c.Password != nil:
		password, err := c.Password(r.Context())
		if err != nil {
			return nil, sluice.Errorf(sluice.Unavailable, "the password cannot be read: %w", err).
				WithHint("%s", sluice.ErrorHint(err))
		}
		r.SetBasicAuth(c.Username, password)
	}
	return c.next.RoundTrip(r)
}
