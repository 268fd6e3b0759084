package gate

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/deps"
)

// exposeServices tells where the Services answer from here. The addresses are the account's own, or those at which Sluice
// shows what it reaches through the account, so there is nothing to start, to finish or to undo.
type exposeServices struct {
	deps    deps.Deps
	sc      sluice.StepContext
	spec    sluice.ExposeServices
	account sluice.Account
}

func NewExposeServices(d deps.Deps, sc sluice.StepContext) (sluice.Step, error) {
	a, err := d.Account(sc.Target.Account, sc.Step.Pos)
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
		url, err := s.deps.ServiceURL(ctx, s.sc, service)
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
