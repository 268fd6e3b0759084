package gate

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/deps"
	"github.com/sluice-cd/sluice/internal/step/refusal"
)

// exposeServices says where the Services answer. The addresses are the account's own, or those at which Sluice itself
// shows the Services. So there is nothing to finish or to undo.
type exposeServices struct {
	inert
	deps    deps.Deps
	sc      sluice.StepContext
	account sluice.Account
	spec    sluice.ExposeServices
}

// NewExposeServices returns the step that shows where Services answer.
func NewExposeServices(d deps.Deps, sc sluice.StepContext) (sluice.Step, error) {
	a, err := d.TargetAccount(sc)
	return &exposeServices{deps: d, sc: sc, account: a, spec: *sc.Step.ExposeServices}, err
}

// Check says which Services are shown. It finds those that neither exist nor are brought by an earlier step.
func (s *exposeServices) Check(ctx context.Context) (sluice.Preview, error) {
	var missing []error
	for _, service := range s.spec.Services {
		ref := sluice.Ref{APIVersion: "v1", Kind: "Service", Namespace: s.sc.Target.Namespace, Name: service}
		_, err := s.account.Get(ctx, ref)
		if sluice.ErrorCode(err) == sluice.NotFound && refusal.Unknown(s.sc, ref, err) == "" {
			missing = append(missing, err)
		}
	}
	notes := []string{"shows the addresses of " + strings.Join(s.spec.Services, ", ")}
	return sluice.Preview{Notes: notes}, errors.Join(missing...)
}

// Vet finds a Service that is missing.
func (s *exposeServices) Vet(ctx context.Context) (sluice.Preview, error) { return s.Check(ctx) }

// Start finds the addresses.
func (s *exposeServices) Start(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	list := make([]string, 0, len(s.spec.Services))
	for _, service := range s.spec.Services {
		url, err := s.deps.ServiceURL(ctx, s.sc, service)
		if err != nil {
			return p, err
		}
		list = append(list, service+" at "+url)
	}
	p.State, p.Message = sluice.Done, strings.Join(list, ", ")
	if s.spec.TTL > 0 {
		p.Message += ", to be used until " + s.deps.Now().Add(s.spec.TTL).UTC().Format(time.RFC3339)
	}
	return p, nil
}

// Observe finds the addresses again.
func (s *exposeServices) Observe(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	return s.Start(ctx, p)
}
