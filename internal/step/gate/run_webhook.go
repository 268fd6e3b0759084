package gate

import (
	"cmp"
	"context"
	"net/http"
	"path"
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
	agent sluice.Account // with networkMode remoteNetworkAgent: whose names the host may be
	extra map[string]string
}

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

// resolve finds the account to send through and the URL to call back.
func (s *runWebhook) resolve() error {
	if s.hook.NetworkMode == "remoteNetworkAgent" {
		a, err := s.deps.Account(cmp.Or(s.hook.AgentIdentifier, s.sc.Target.Account), s.sc.Step.Pos)
		if err != nil {
			return err
		}
		s.agent = a
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

// Start sends the request. A callback that is there already means that it was sent before a crash.
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

// Observe looks whether the callback or the deadline came.
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
			WithHint("the receiver posts {\"success\": true, \"mdMessage\": \"...\"} to the callback URL with /callback appended; make the step's timeout longer if it needs more time")
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
