package notify

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/outbound"
)

// A caller posts to one address. Client follows the rules for webhooks.
type caller struct {
	client *http.Client
	what   string // of the receiver, for errors
}

// newCaller returns a caller that follows no redirect to another host.
func newCaller(client *http.Client, what string) caller {
	own := *client
	own.CheckRedirect = outbound.Redirects{Body: true}.Check
	return caller{&own, what}
}

// post posts the body. Its error does not have the address, which may be a secret.
func (c caller) post(ctx context.Context, address string, header http.Header, body []byte) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return sluice.Errorf(sluice.Invalid, "the address of the %s is not an http or https URL", c.what).
			WithHint("correct the secret that holds it")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return sluice.Errorf(sluice.Invalid, "the address of the %s cannot be called", c.what)
	}
	r.Header, r.Close = header, true // net/http logs what a server sends on a connection that is kept open
	resp, err := c.client.Do(r)
	if err != nil {
		return c.unanswered(err, u)
	}
	defer resp.Body.Close()
	return c.judge(resp)
}

// unanswered explains an error of the client. A redirect that is not followed is an answer, and so a refusal.
func (c caller) unanswered(err error, from *url.URL) error {
	if e, ok := errors.AsType[*sluice.Error](err); ok {
		explained := sluice.Errorf(e.Code, "the %s cannot be called: %s", c.what, e.Message).WithHint("%s", e.Hint)
		return &trouble{error: explained, refused: e.Code == sluice.Failed}
	}
	why, hint := outbound.Explain(err, "webhooks.caFile")
	for _, hidden := range []string{from.Path, from.EscapedPath(), from.RawQuery} { // a server may repeat them
		if len(hidden) > 1 {
			why = strings.ReplaceAll(why, hidden, "/...")
		}
	}
	return sluice.Errorf(sluice.Unavailable, "the %s does not answer: %s", c.what, why).WithHint("%s", hint)
}

// judge says what an answer means.
func (c caller) judge(resp *http.Response) error {
	status := resp.StatusCode
	if status >= 200 && status < 300 {
		return nil
	}
	err := func(code sluice.Code) error {
		return sluice.Errorf(code, "the %s answers %d", c.what, status).WithHint("%s", outbound.StatusHint(status))
	}
	switch {
	case status >= 500, status == http.StatusRequestTimeout, status == http.StatusTooEarly,
		status == http.StatusTooManyRequests:
		return &trouble{error: err(sluice.Unavailable), after: askedFor(resp.Header.Get("Retry-After"))}
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return &trouble{error: err(sluice.Denied), refused: true}
	case status == http.StatusNotFound, status == http.StatusGone:
		return &trouble{error: err(sluice.NotFound), refused: true}
	}
	return &trouble{error: err(sluice.Invalid), refused: true}
}

// askedFor reads a Retry-After header: seconds, or a time.
func askedFor(header string) time.Duration {
	if seconds, err := strconv.Atoi(header); err == nil {
		return time.Duration(max(0, min(seconds, 1<<20))) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}
