package server

import (
	"context"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/service"
)

// An Examination is what was found in what deployments rely on.
type Examination struct {
	At     time.Time // when it began
	Checks []service.Check
}

// Accounts examines the accounts, metric providers and whatever else deployments rely on, as sluice doctor does.
func (s *Server) Accounts(ctx context.Context, c access.Caller) ([]service.Check, error) {
	x, err := s.Examined(ctx, c, 0)
	return x.Checks, err
}

// Examined is Accounts, or the latest examination if that began less than within ago. Callers that accept an earlier
// one examine one after the other, so they share it.
func (s *Server) Examined(ctx context.Context, c access.Caller, within time.Duration) (Examination, error) {
	if !c.MayEverywhere(access.Administer) {
		return Examination{}, sluice.Errorf(sluice.Denied, "%s may not see the accounts of this server", c.Actor.Name).
			WithHint("ask who runs this server for a role that grants administer everywhere")
	}
	if within > 0 {
		select {
		case s.examining <- struct{}{}:
			defer func() { <-s.examining }()
		case <-ctx.Done():
			return Examination{}, ctx.Err()
		}
		if x := s.examined.Load(); x != nil && s.Now().Sub(x.At) < within {
			return *x, nil
		}
	}
	x := Examination{At: s.Now()}
	var err error
	if x.Checks, err = s.Examine(ctx, service.Source{}); err != nil {
		return Examination{}, err
	}
	s.examined.Store(&x)
	return x, nil
}
