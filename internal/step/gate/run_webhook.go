package gate

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/decision"
	"github.com/sluice-cd/sluice/internal/step/deps"
	"github.com/sluice-cd/sluice/internal/step/render"
)

const (
	defaultCallbackTimeout = 24 * time.Hour
	defaultRequestTimeout  = 30 * time.Second
	callbackVariable       = "armory.callbackUri"
)

// runWebhook calls a webhook and, unless that is disabled, waits for it to call back. A crash between the call
// and its record makes it call again, with the same Idempotency-Key.
type runWebhook struct {
	inert
	deps  deps.Deps
	sc    sluice.StepContext
	spec  sluice.RunWebhook
	hook  sluice.Webhook
	agent sluice.Network // with networkMode remoteNetworkAgent: whose names the host may be
	extra map[string]string
}

// NewRunWebhook returns the step that calls a webhook.
func NewRunWebhook(d deps.Deps, sc sluice.StepContext) (sluice.Step, error) {
	spec := *sc.Step.RunWebhook
	if spec.Webhook == nil || spec.Webhook.URITemplate == "" {
		return nil, sluice.Errorf(sluice.Invalid, "there is no webhook %q", spec.Name).
			WithHint("add it under webhooks in the deploy file").At(sc.Step.Pos)
	}
	s := &runWebhook{deps: d, sc: sc, spec: spec, hook: *spec.Webhook, extra: map[string]string{}}
	if err := s.resolve(); err != nil {
		return nil, err
	}
	for _, t := range s.templates() {
		if err := render.Check(sc, t, s.extra); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// resolve finds the account to send through, and the callback URL.
func (s *runWebhook) resolve() error {
	if s.hook.NetworkMode == "remoteNetworkAgent" {
		a, err := s.deps.Account(cmp.Or(s.hook.AgentIdentifier, s.sc.Target.Account), s.sc.Step.Pos)
		if err != nil {
			return err
		}
		s.agent = a.Network
	}
	if s.deps.Callbacks == nil {
		if s.hook.DisableCallback {
			return nil
		}
		return sluice.Errorf(sluice.Unsupported, "webhook %q calls back, and callbacks cannot be received here", s.hook.Name).
			WithHint("set disableCallback: true, or webhooks.callbackAddress in sluice.yaml").At(s.sc.Step.Pos)
	}
	url, err := s.deps.Callbacks(s.sc.Deployment, s.sc.Step.ID)
	if err != nil {
		return err
	}
	s.extra[callbackVariable] = url
	return nil
}

// templates returns the templates of the URL, the body and the headers.
func (s *runWebhook) templates() []string {
	list := []string{s.hook.URITemplate, s.hook.Body}
	for _, h := range s.hook.Headers {
		list = append(list, h.Value)
	}
	return list
}

// Check asks for the secrets, so that a missing one is found before anything is sent.
func (s *runWebhook) Check(ctx context.Context) (sluice.Preview, error) {
	for _, t := range s.templates() {
		if err := render.CheckSecrets(ctx, s.deps, t); err != nil {
			return sluice.Preview{}, err
		}
	}
	note := "sends " + s.method() + " " + s.hook.URITemplate
	if !s.hook.DisableCallback {
		note += " and waits up to " + s.timeout().String() + " for its callback"
	}
	return sluice.Preview{Notes: []string{note}}, nil
}

// Start sends the request. If a callback has arrived already, the request was sent before a crash.
func (s *runWebhook) Start(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	if _, came := decision.Said(p, sluice.SignalCallback); came {
		return s.called(p)
	}
	if err := ctx.Err(); err != nil {
		return p, err
	}
	if err := s.send(ctx); err != nil {
		return p, err
	}
	if s.hook.DisableCallback {
		p.State, p.Message = sluice.Done, "the webhook was accepted"
		return p, nil
	}
	p.State, p.Message = sluice.Waiting, "waiting for the callback of "+s.hook.Name
	p.Wait = &sluice.Wait{
		Until:    s.deps.Now().Add(s.timeout()),
		Signals:  []string{sluice.SignalCallback, sluice.SignalReject, sluice.SignalRollForward},
		Callback: withoutSecret(s.extra[callbackVariable]),
	}
	return p, nil
}

// Observe checks whether the callback or the deadline came.
func (s *runWebhook) Observe(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	if err := ctx.Err(); err != nil {
		return p, err
	}
	if _, came := decision.Said(p, sluice.SignalCallback); came {
		return s.called(p)
	}
	if out, ok, err := decision.Of(p); ok {
		return out, err
	}
	if p.Wait != nil && !s.deps.Now().Before(p.Wait.Until) {
		return p, sluice.Errorf(sluice.Failed, "webhook %q did not call back within %s", s.hook.Name, s.timeout()).
			WithHint("the receiver posts {\"success\": true, \"mdMessage\": \"...\"} to the callback URL " +
				"with /callback appended; make the step's timeout longer if it needs more time")
	}
	return p, nil
}

func (s *runWebhook) called(p sluice.Progress) (sluice.Progress, error) {
	c, _ := decision.Said(p, sluice.SignalCallback)
	if !c.Success {
		return p, sluice.Errorf(sluice.Failed, "webhook %q reports: %s", s.hook.Name, cmp.Or(c.Reason, "no success"))
	}
	p.State, p.Wait, p.Message = sluice.Done, nil, cmp.Or(c.Reason, "the webhook reports success")
	return p, nil
}

func (s *runWebhook) timeout() time.Duration {
	return cmp.Or(s.spec.Timeout, defaultCallbackTimeout)
}

func (s *runWebhook) method() string {
	return strings.ToUpper(cmp.Or(s.hook.Method, http.MethodPost))
}

// withoutSecret drops the last part of a callback URL, which is its secret.
func withoutSecret(url string) string {
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok {
		return ""
	}
	return scheme + "://" + path.Dir(rest)
}

// maxAnswer bounds how much of an answer is read, so that the connection can be used again.
const maxAnswer = 64 << 10

// send makes the call. While no connection can be made, it tries again as often as the webhook allows.
func (s *runWebhook) send(ctx context.Context) error {
	for try := 0; ; try++ {
		err := s.sendOnce(ctx)
		if err == nil || try >= s.hook.RetryCount || !isDial(err) || ctx.Err() != nil {
			return s.explain(ctx, err)
		}
		select {
		case <-time.After(min(200*time.Millisecond<<min(try, 6), 10*time.Second)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *runWebhook) sendOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(s.hook.Timeout, defaultRequestTimeout))
	defer cancel()
	request, err := s.request(ctx)
	if err != nil {
		return err
	}
	client := *s.deps.HTTP
	client.CheckRedirect, client.Timeout = sameHost, 0 // ctx bounds it
	carrier, err := s.carrier(ctx, request.URL)
	if err != nil {
		return err
	}
	if carrier != nil {
		client.Transport = carrier
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(response.Body, maxAnswer)); err != nil && ctx.Err() == nil {
		return err
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return sluice.Errorf(sluice.Failed, "webhook %q answered %d", s.hook.Name, response.StatusCode).
			WithHint("it was sent as %s %s", s.method(), s.hook.URITemplate)
	}
	return nil
}

func (s *runWebhook) request(ctx context.Context) (*http.Request, error) {
	var texts []string
	for _, t := range s.templates() {
		text, err := render.Text(ctx, s.deps, s.sc, t, s.extra)
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	address, body, headers := s.replaced(strings.TrimSpace(texts[0])), strings.NewReader(texts[1]), texts[2:]
	r, err := http.NewRequestWithContext(ctx, s.method(), address, body)
	// The error quotes the URL, and with it what may be a secret.
	if err != nil || r.URL.Host == "" || r.URL.Scheme != "http" && r.URL.Scheme != "https" {
		return nil, sluice.Errorf(sluice.Invalid, "the URL of webhook %q is not an http or https URL", s.hook.Name).
			WithHint("it is written as %s", s.hook.URITemplate)
	}
	r.Header.Set("Idempotency-Key", string(s.sc.Deployment)+"/"+string(s.sc.Step.ID))
	for i, h := range s.hook.Headers {
		r.Header.Set(h.Key, headers[i])
	}
	return r, nil
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

// explain names the webhook, never its URL: that may be a secret.
func (s *runWebhook) explain(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return errors.Join(err, ctx.Err())
	}
	if e, ok := errors.AsType[*sluice.Error](err); ok {
		return e
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	why := err.Error()
	if errors.Is(err, context.DeadlineExceeded) {
		why = "no answer within " + cmp.Or(s.hook.Timeout, defaultRequestTimeout).String()
	}
	return sluice.Errorf(sluice.Failed, "webhook %q cannot be reached: %s", s.hook.Name, why).
		WithHint("it is sent as %s %s; set retryCount to try again", s.method(), s.hook.URITemplate)
}

// isDial reports whether no connection was made, so that nothing can have been sent.
func isDial(err error) bool {
	e, ok := errors.AsType[*net.OpError](err)
	return ok && e.Op == "dial"
}

func sameHost(r *http.Request, via []*http.Request) error {
	if r.URL.Host != via[0].URL.Host {
		return sluice.Errorf(sluice.Failed, "the webhook redirects to another host, %s", r.URL.Host).
			WithHint("write that host into uriTemplate, if it is meant")
	}
	if via[0].URL.Scheme == "https" && r.URL.Scheme != "https" {
		return sluice.Errorf(sluice.Failed, "the webhook redirects to %s without encryption", r.URL.Host).
			WithHint("have it redirect to an https address")
	}
	if len(via) >= 5 {
		return sluice.Errorf(sluice.Failed, "the webhook redirects in circles")
	}
	return nil
}
