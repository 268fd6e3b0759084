package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/outbound"
	"github.com/sluice-cd/sluice/internal/template"
)

const (
	defaultRequestTimeout = 30 * time.Second
	// maxAnswer bounds how much of an answer is read, so that the connection can be used again.
	maxAnswer = 64 << 10
)

// A failedCall says why a webhook did not accept a call.
type failedCall struct {
	err   error         // what is wrong with the file or with the configuration; then why is empty
	why   string        // "answered 503"
	hint  string        // what helps
	again bool          // another call may be accepted
	after time.Duration // when, if the receiver said so
}

// failed names the webhook, never its URL: that may be a secret.
func (s *runWebhook) failed(f *failedCall, calls int) error {
	if f.why == "" {
		return f.err
	}
	times := ""
	if calls > 1 {
		times = fmt.Sprintf("; it was called %d times", calls)
	}
	hint := fmt.Sprintf("it is sent as %s %s", s.method(), s.hook.URITemplate)
	if f.hint != "" {
		hint = f.hint + "; " + hint
	}
	return sluice.Errorf(sluice.Failed, "webhook %q %s%s", s.hook.Name, f.why, times).WithHint("%s", hint)
}

// send makes the call. It returns nil if the webhook accepted it.
func (s *runWebhook) send(ctx context.Context) *failedCall {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(s.hook.Timeout, defaultRequestTimeout))
	defer cancel()
	request, err := s.request(ctx)
	if err != nil {
		return &failedCall{err: err}
	}
	response, err := s.client().Do(request)
	if err != nil {
		return s.unanswered(err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxAnswer)) // the status has said all
	if response.StatusCode >= 200 && response.StatusCode <= 299 {
		return nil
	}
	return s.refused(response)
}

func (s *runWebhook) client() *http.Client {
	client := *s.deps.HTTP
	client.CheckRedirect, client.Timeout = s.redirects().Check, 0 // the request's context bounds it
	if s.agent != nil {
		client.Transport = carrying{s, cmp.Or(client.Transport, http.DefaultTransport)}
	}
	return &client
}

// redirects says what must not reach other hosts: any header of the file may hold a secret.
func (s *runWebhook) redirects() outbound.Redirects {
	r := outbound.Redirects{Body: len(template.Parse(s.hook.Body).Names("secrets.")) > 0}
	for _, h := range s.hook.Headers {
		if !slices.Contains([]string{"Content-Type", "Accept", "User-Agent"}, http.CanonicalHeaderKey(h.Key)) {
			r.Headers = append(r.Headers, h.Key)
		}
	}
	return r
}

// unanswered explains a call without an answer.
func (s *runWebhook) unanswered(err error) *failedCall {
	if e, ok := errors.AsType[*sluice.Error](err); ok {
		return &failedCall{err: sluice.Errorf(e.Code, "webhook %q cannot be called: %w", s.hook.Name, e).
			WithHint("%s", e.Hint)}
	}
	why, hint := outbound.Explain(err, "webhooks: {caFile: FILE}")
	if errors.Is(err, context.DeadlineExceeded) {
		why = "no answer within " + cmp.Or(s.hook.Timeout, defaultRequestTimeout).String()
		hint += ", or make the webhook's timeout longer"
	}
	return &failedCall{why: "cannot be reached: " + why, hint: hint, again: isDial(err) || outbound.IsBroken(err)}
}

// isDial reports whether no connection was made, so that nothing can have been sent.
func isDial(err error) bool {
	e, ok := errors.AsType[*net.OpError](err)
	return ok && e.Op == "dial"
}

// refused explains an answer that is no success.
func (s *runWebhook) refused(r *http.Response) *failedCall {
	f := &failedCall{why: fmt.Sprintf("answered %d", r.StatusCode), hint: outbound.StatusHint(r.StatusCode)}
	switch r.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		f.again, f.after = true, s.retryAfter(r.Header.Get("Retry-After"))
		if s.hook.RetryCount == 0 {
			f.hint += "; set retryCount to try again"
		}
	}
	return f
}

// retryAfter reads the header of that name, which holds seconds or a date. 0: it says nothing.
func (s *runWebhook) retryAfter(header string) time.Duration {
	if seconds, err := strconv.Atoi(header); err == nil {
		return time.Duration(min(max(seconds, 0), int(longestAsked/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(at.Sub(s.deps.Now()), 0)
	}
	return 0
}

func (s *runWebhook) request(ctx context.Context) (*http.Request, error) {
	address, err := s.variables().Text(ctx, template.Parse(s.hook.URITemplate), template.URL)
	if err != nil {
		return nil, err
	}
	header, err := s.header(ctx)
	if err != nil {
		return nil, err
	}
	t := template.Parse(s.hook.Body)
	body, err := s.variables().Text(ctx, t, template.Body(header.Get("Content-Type"), t))
	if err != nil {
		return nil, err
	}
	address = s.replaced(strings.TrimSpace(address))
	r, err := http.NewRequestWithContext(ctx, s.method(), address, strings.NewReader(body))
	// The error quotes the URL, and with it what may be a secret.
	if err != nil || r.URL.Host == "" || r.URL.Scheme != "http" && r.URL.Scheme != "https" {
		return nil, sluice.Errorf(sluice.Invalid, "the URL of webhook %q is not an http or https URL", s.hook.Name).
			WithHint("it is written as %s", s.hook.URITemplate)
	}
	r.Header, r.Host = header, header.Get("Host") // a client does not send a header of that name
	return r, nil
}

func (s *runWebhook) header(ctx context.Context) (http.Header, error) {
	all := http.Header{}
	all.Set("Idempotency-Key", string(s.sc.Deployment)+"/"+string(s.sc.Step.ID))
	for _, h := range s.hook.Headers {
		value, err := s.variables().Text(ctx, template.Parse(h.Value), template.Header)
		if err != nil {
			return nil, err
		}
		all.Set(h.Key, value)
	}
	return all, nil
}

// replaced puts another prefix in place of the longest one that sluice.yaml replaces.
func (s *runWebhook) replaced(address string) string {
	longest := ""
	for prefix := range s.deps.Replace {
		if strings.HasPrefix(address, prefix) && len(prefix) > len(longest) {
			longest = prefix
		}
	}
	if longest == "" {
		return address
	}
	return s.deps.Replace[longest] + strings.TrimPrefix(address, longest)
}

// carrying sends requests to Services of the agent's account through it, and all others directly.
type carrying struct {
	*runWebhook
	direct http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (c carrying) RoundTrip(r *http.Request) (*http.Response, error) {
	carrier, err := c.carrier(r.Context(), r.URL)
	if err != nil {
		return nil, err
	}
	return cmp.Or(carrier, c.direct).RoundTrip(r)
}

// carrier returns the transport to a Service of the agent's account if the host is the name of one. Any other host is
// called directly, without a carrier.
func (s *runWebhook) carrier(ctx context.Context, to *url.URL) (http.RoundTripper, error) {
	if s.agent == nil {
		return nil, nil
	}
	service, rest, _ := strings.Cut(to.Hostname(), ".")
	namespace, suffix, _ := strings.Cut(rest, ".")
	if suffix != "" && suffix != "svc" && suffix != "svc.cluster.local" {
		return nil, nil
	}
	port, err := strconv.Atoi(cmp.Or(to.Port(), map[string]string{"http": "80", "https": "443"}[to.Scheme]))
	if err != nil {
		return nil, nil // NewRequest has refused an invalid port
	}
	t, err := s.agent.Transport(ctx, cmp.Or(namespace, s.sc.Target.Namespace), service, port)
	if sluice.ErrorCode(err) == sluice.NotFound {
		return nil, nil
	}
	return t, err
}
