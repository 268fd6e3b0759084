package gate

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/decision"
	"github.com/sluice-cd/sluice/internal/step/deps"
	"github.com/sluice-cd/sluice/internal/step/record"
	"github.com/sluice-cd/sluice/internal/step/render"
	"github.com/sluice-cd/sluice/internal/template"
)

const (
	defaultCallbackTimeout = 24 * time.Hour
	callbackVariable       = "armory.callbackUri"
)

// The pauses before a webhook is called again.
const (
	shortestPause = time.Second // doubled with each call
	longestPause  = 30 * time.Second
	longestAsked  = 5 * time.Minute // by Retry-After
)

// runWebhook calls a webhook and, unless that is disabled, waits for it to call back. Between two calls it waits, so
// that their number is recorded. A crash between a call and its record makes it call again, with the same
// Idempotency-Key.
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
		if err := s.variables().Check(t); err != nil {
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
func (s *runWebhook) templates() []template.Template {
	list := []template.Template{template.Parse(s.hook.URITemplate), template.Parse(s.hook.Body)}
	for _, h := range s.hook.Headers {
		list = append(list, template.Parse(h.Value))
	}
	return list
}

func (s *runWebhook) variables() render.Variables { return render.For(s.deps, s.sc, s.extra) }

// Check asks for the secrets, so that a missing one is found before anything is sent.
func (s *runWebhook) Check(ctx context.Context) (sluice.Preview, error) {
	for _, t := range s.templates() {
		if err := s.variables().CheckSecrets(ctx, t); err != nil {
			return sluice.Preview{}, err
		}
	}
	note := "sends " + s.method() + " " + s.hook.URITemplate
	if !s.hook.DisableCallback {
		note += " and waits up to " + s.timeout().String() + " for its callback"
	}
	return sluice.Preview{Notes: []string{note}}, nil
}

// Vet finds a secret that cannot be read.
func (s *runWebhook) Vet(ctx context.Context) (sluice.Preview, error) { return s.Check(ctx) }

// A webhookRecord counts the calls. It is zero once the webhook accepted one.
type webhookRecord struct {
	Since time.Time `json:"since,omitzero"` // the first call
	Calls int       `json:"calls,omitempty"`
}

// Start sends the request. If a callback has arrived already, the request was sent before a crash.
func (s *runWebhook) Start(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	if _, came := decision.Said(p, sluice.SignalCallback); came {
		return s.called(p)
	}
	return s.call(ctx, p, webhookRecord{Since: s.deps.Now()})
}

// Observe checks whether the callback or the deadline came, or calls again.
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
	if p.Wait != nil && s.deps.Now().Before(p.Wait.Until) {
		return p, nil
	}
	var r webhookRecord
	if err := record.Read(p.Data, &r); err != nil {
		return p, err
	}
	if r.Calls > 0 {
		return s.call(ctx, p, r)
	}
	return p, sluice.Errorf(sluice.Failed, "webhook %q did not call back within %s", s.hook.Name, s.timeout()).
		WithHint("the receiver posts {\"success\": true, \"mdMessage\": \"...\"} to the callback URL " +
			"with /callback appended; make the step's timeout longer if it needs more time")
}

// call sends the request and says what follows.
func (s *runWebhook) call(ctx context.Context, p sluice.Progress, r webhookRecord) (sluice.Progress, error) {
	if err := ctx.Err(); err != nil {
		return p, err
	}
	f := s.send(ctx)
	if f == nil {
		return s.accepted(p)
	}
	if err := ctx.Err(); err != nil {
		return p, err
	}
	r.Calls++
	next := s.deps.Now().Add(backOff(r.Calls, f.after))
	if !f.again || r.Calls > s.hook.RetryCount || next.After(r.Since.Add(s.timeout())) {
		return p, s.failed(f, r.Calls)
	}
	p.Message = fmt.Sprintf("the webhook %s; waiting before retry %d of %d", f.why, r.Calls, s.hook.RetryCount)
	return s.wait(p, r, next, sluice.SignalReject)
}

// backOff returns how long to wait after so many calls: what the receiver asked for, and any time up to a bound that
// doubles, so that many callers do not come back at once.
func backOff(calls int, asked time.Duration) time.Duration {
	bound := min(shortestPause<<min(calls-1, 10), longestPause)
	return min(asked, longestAsked) + rand.N(bound)
}

func (s *runWebhook) accepted(p sluice.Progress) (sluice.Progress, error) {
	if s.hook.DisableCallback {
		p.State, p.Wait, p.Message = sluice.Done, nil, "the webhook was accepted"
		return p, nil
	}
	p.Message = "waiting for the callback of " + s.hook.Name
	deadline := s.deps.Now().Add(s.timeout())
	return s.wait(p, webhookRecord{}, deadline, sluice.SignalReject, sluice.SignalRollForward)
}

// wait waits for the time, the callback or a person.
func (s *runWebhook) wait(
	p sluice.Progress, r webhookRecord, until time.Time, signals ...string,
) (sluice.Progress, error) {
	raw, err := record.Write(r)
	p.State, p.Data, p.Wait = sluice.Waiting, raw, &sluice.Wait{Until: until, Signals: signals}
	if !s.hook.DisableCallback {
		p.Wait.Signals = append(p.Wait.Signals, sluice.SignalCallback)
		p.Wait.Callback = withoutSecret(s.extra[callbackVariable])
	}
	return p, err
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
