package identity

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/time/rate"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/outbound"
)

type outageKey struct{}

// watched tells an issuer that is away from a wrong signature: the verifier keeps only the text of the error.
type watched struct{ oidc.KeySet }

// VerifySignature implements [oidc.KeySet].
func (w watched) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	payload, err := w.KeySet.VerifySignature(ctx, jwt)
	if outage, ok := errors.AsType[*url.Error](err); ok {
		if to, ok := ctx.Value(outageKey{}).(*error); ok {
			*to = outage
		}
	}
	return payload, err
}

// Anybody can send a token with a key that nobody knows, and so have the keys fetched. After some at once, they are
// fetched so often, and otherwise taken as they were.
const (
	fetchesAtOnce = 5
	fetchEvery    = 10 * time.Second
)

// A frugal transport bounds how often documents are fetched.
type frugal struct {
	http.RoundTripper
	now     func() time.Time
	limiter *rate.Limiter

	mu   sync.Mutex
	last map[string]document // by URL
}

type document struct {
	header http.Header
	body   []byte
}

func newFrugal(t http.RoundTripper, now func() time.Time) *frugal {
	return &frugal{
		RoundTripper: t, now: now, limiter: rate.NewLimiter(rate.Every(fetchEvery), fetchesAtOnce),
		last: map[string]document{},
	}
}

// RoundTrip implements http.RoundTripper.
func (f *frugal) RoundTrip(r *http.Request) (*http.Response, error) {
	if !f.limiter.AllowN(f.now(), 1) {
		return f.again(r)
	}
	resp, err := f.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = refused(r.URL.Host, resp)
	}
	if err == nil && !json.Valid(body) {
		err = sluice.Errorf(sluice.Unavailable, "%s does not answer with a JSON document", r.URL.Host)
	}
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last[r.URL.String()] = document{resp.Header, body}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// refused is the error of an issuer that does not show a document.
func refused(host string, resp *http.Response) error {
	e := sluice.Errorf(sluice.Unavailable, "%s answers %s", host, resp.Status)
	if resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden {
		return e.WithHint("name a file with a token for it in sluice.yaml: tokenFile of the workload")
	}
	return e
}

// again returns the document as it was.
func (f *frugal) again(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	d, ok := f.last[r.URL.String()]
	if !ok {
		return nil, sluice.Errorf(sluice.Unavailable, "%s was asked too often", r.URL.Host)
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: d.header.Clone(), Body: io.NopCloser(bytes.NewReader(d.body)), Request: r,
	}, nil
}

// refusal explains why a flow failed. What the issuer answered is not repeated: it may hold what it was sent.
func (i *issuer) refusal(err error) error {
	e, ok := errors.AsType[*oauth2.RetrieveError](err)
	switch {
	case !ok:
		return i.away(err)
	case e.ErrorCode == "invalid_client" || e.ErrorCode == "unauthorized_client":
		return sluice.Errorf(sluice.Unavailable, "the issuer %s refuses the client %.100q", i.Issuer, i.Audience).
			WithHint("check clientId and clientSecret in sluice.yaml")
	case e.ErrorCode == "":
		return sluice.Errorf(sluice.Unavailable, "the issuer %s answers %s", i.Issuer, e.Response.Status).
			WithHint("%s", cmp.Or(outbound.StatusHint(e.Response.StatusCode), "check the configuration of the issuer"))
	}
	return sluice.Errorf(sluice.Unauthenticated, "the issuer %s refuses the login: %s", i.Issuer, errorCode(e.ErrorCode)).
		WithHint("log in again")
}

// errorCode returns the code of an error of OAuth. Codes have small letters and _; something else may be what the
// issuer was sent, and is not repeated.
func errorCode(text string) string {
	isOther := func(r rune) bool { return (r < 'a' || r > 'z') && r != '_' }
	if text == "" || len(text) > 40 || strings.ContainsFunc(text, isOther) {
		return "it does not say why"
	}
	return text
}
