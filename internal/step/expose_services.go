package step

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
)

// exposeServices tells where the Services answer from here. The addresses are the account's own, or those at which Sluice
// shows what it reaches through the account, so there is nothing to start, to finish or to undo.
type exposeServices struct {
	deps    Deps
	sc      sluice.StepContext
	spec    sluice.ExposeServices
	account sluice.Account
}

func newExposeServices(d Deps, sc sluice.StepContext) (sluice.Step, error) {
	a, err := d.account(sc.Target.Account, sc.Step.Pos)
	if err != nil {
		return nil, err
	}
	return &exposeServices{d, sc, *sc.Step.ExposeServices, a}, nil
}

func (s *exposeServices) Check(context.Context) (sluice.Preview, error) {
	return sluice.Preview{Notes: []string{"shows the addresses of " + strings.Join(s.spec.Services, ", ")}}, nil
}

func (s *exposeServices) Start(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	list := make([]string, 0, len(s.spec.Services))
	for _, service := range s.spec.Services {
		url, err := serviceURL(ctx, s.deps, s.sc, s.account, service)
		if err != nil {
			return p, err
		}
		list = append(list, service+" at "+url)
	}
	p.State = sluice.Done
	p.Message = strings.Join(list, ", ")
	if s.spec.TTL > 0 {
		p.Message += fmt.Sprintf(", to be used until %s", s.deps.Now().Add(s.spec.TTL).UTC().Format(time.RFC3339))
	}
	return p, nil
}

func (s *exposeServices) Observe(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	return s.Start(ctx, p)
}

func (s *exposeServices) Finish(context.Context, sluice.Progress) error { return nil }

func (s *exposeServices) Undo(context.Context, sluice.Progress) error { return nil }

// defaultExposure is how long what no step of the target exposes can be reached.
const defaultExposure = 5 * time.Minute

// exposure returns for how long the target's steps expose the Service.
func exposure(sc sluice.StepContext, service string) time.Duration {
	if sc.Plan == nil {
		return defaultExposure
	}
	for _, s := range sc.Plan.Steps {
		if s.Target == sc.Target.Name && s.ExposeServices != nil && slices.Contains(s.ExposeServices.Services, service) {
			return orDefault(s.ExposeServices.TTL, defaultExposure)
		}
	}
	return defaultExposure
}

// serviceURL returns where the Service's first port answers.
func serviceURL(ctx context.Context, d Deps, sc sluice.StepContext, a sluice.Account, service string) (string, error) {
	namespace := sc.Target.Namespace
	o, err := a.Get(ctx, sluice.Ref{APIVersion: "v1", Kind: "Service", Namespace: namespace, Name: service})
	if err != nil {
		return "", err
	}
	ports, _ := o.Field("spec", "ports").([]any)
	if len(ports) == 0 {
		return "", sluice.Errorf(sluice.Invalid, "Service/%s has no port to show", service)
	}
	port := sluice.Object(asObject(ports[0])).Number(0, "port")
	if d.Preview != nil {
		url, err := d.Preview(sc.Target.Account, namespace, service, port, d.Now().Add(exposure(sc, service)))
		if err != nil || url != "" {
			return url, err
		}
	}
	address, err := a.Address(ctx, namespace, service, port)
	if err != nil {
		return "", err
	}
	return "http://" + address, nil
}
