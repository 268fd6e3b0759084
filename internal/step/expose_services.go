package step

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
)

// exposeServices tells where the Services answer from here. The addresses are the account's own, so there is
// nothing to start, to finish or to undo.
type exposeServices struct {
	spec      sluice.ExposeServices
	account   sluice.Account
	namespace string
	now       func() time.Time
}

func newExposeServices(d Deps, sc sluice.StepContext) (sluice.Step, error) {
	a, err := d.account(sc.Target.Account, sc.Step.Pos)
	if err != nil {
		return nil, err
	}
	return &exposeServices{*sc.Step.ExposeServices, a, sc.Target.Namespace, d.Now}, nil
}

func (s *exposeServices) Check(context.Context) (sluice.Preview, error) {
	return sluice.Preview{Notes: []string{"shows the addresses of " + strings.Join(s.spec.Services, ", ")}}, nil
}

func (s *exposeServices) Start(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	list := make([]string, 0, len(s.spec.Services))
	for _, service := range s.spec.Services {
		url, err := serviceURL(ctx, s.account, s.namespace, service)
		if err != nil {
			return p, err
		}
		list = append(list, service+" at "+url)
	}
	p.State = sluice.Done
	p.Message = strings.Join(list, ", ")
	if s.spec.TTL > 0 {
		p.Message += fmt.Sprintf(", to be used until %s", s.now().Add(s.spec.TTL).UTC().Format(time.RFC3339))
	}
	return p, nil
}

func (s *exposeServices) Observe(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	return s.Start(ctx, p)
}

func (s *exposeServices) Finish(context.Context, sluice.Progress) error { return nil }

func (s *exposeServices) Undo(context.Context, sluice.Progress) error { return nil }

// serviceURL returns where the Service's first port answers.
func serviceURL(ctx context.Context, a sluice.Account, namespace, service string) (string, error) {
	o, err := a.Get(ctx, sluice.Ref{APIVersion: "v1", Kind: "Service", Namespace: namespace, Name: service})
	if err != nil {
		return "", err
	}
	ports, _ := o.Field("spec", "ports").([]any)
	if len(ports) == 0 {
		return "", sluice.Errorf(sluice.Invalid, "Service/%s has no port to show", service)
	}
	first, _ := ports[0].(map[string]any)
	address, err := a.Address(ctx, namespace, service, sluice.Object(first).Number(0, "port"))
	if err != nil {
		return "", err
	}
	return "http://" + address, nil
}
