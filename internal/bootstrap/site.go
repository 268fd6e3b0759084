package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/history"
	"github.com/sluice-cd/sluice/internal/secret"
	"github.com/sluice-cd/sluice/internal/server"
	"github.com/sluice-cd/sluice/internal/service"
)

// A site is what a server of a state directory deploys to. What it opens, it closes after each call.
type site struct {
	dir    StateDir
	config *config.Config
	store  sluice.Store
	key    *secret.Key
}

var _ server.Site = site{}

func (s site) wiring() *Wiring {
	w := NewWiring(s.dir, s.config)
	w.store = s.store
	return w
}

// Surroundings are what deploy files are compiled with, without the history.
func (s site) Surroundings() service.Surroundings {
	return service.Surroundings{
		Local: service.LocalAccounts(s.config), Sealer: s.key, Secret: s.dir.redactor.Learn,
	}
}

// Check refuses a plan that would certainly fail. An account that cannot be asked now is no reason: the deployment
// itself tries again.
func (s site) Check(ctx context.Context, p *sluice.Plan) (err error) {
	if err := CheckMachine(p, s.config); err != nil {
		return err
	}
	if err := service.CheckConfigured(p, s.config); err != nil {
		return err
	}
	w := s.wiring()
	defer func() { err = errors.Join(err, w.Close()) }()
	accounts, err := w.Clusters(ctx, p)
	if err != nil {
		return err
	}
	list, err := service.MissingRights(ctx, p, accounts)
	if sluice.ErrorCode(err) == sluice.Unavailable {
		return nil
	}
	needed, _ := service.SplitRights(list)
	if err != nil || len(needed) == 0 {
		return err
	}
	var names []string
	for _, r := range needed {
		names = append(names, fmt.Sprintf("%s %s in %s/%s", r.Verb, r.Resource, r.Account, r.Namespace))
	}
	return sluice.Errorf(sluice.Denied, "the server has no right to %s", strings.Join(names, ", ")).
		WithHint("grant it to the server; sluice plan says how")
}

// Preview says what each step of the plan would do.
func (s site) Preview(ctx context.Context, p *sluice.Plan) (out service.PlanPreview, err error) {
	w := s.wiring()
	defer func() { err = errors.Join(err, w.Close()) }()
	steps, accounts, err := w.Preview(ctx, p)
	if err != nil {
		return out, err
	}
	out, _, err = service.Preview(ctx, p, steps, accounts)
	return out, err
}

// Losses counts what putting checkpoints back would take away. It starts no account.
func (s site) Losses(ctx context.Context, p *sluice.Plan) (_ map[string]service.Loss, err error) {
	w := s.wiring()
	defer func() { err = errors.Join(err, w.Close()) }()
	steps, _, err := w.Running(ctx, p)
	if err != nil {
		return nil, err
	}
	return service.Losses(ctx, p, steps)
}

// DeleteCheckpoint deletes the copy and then the entry.
func (s site) DeleteCheckpoint(ctx context.Context, c sluice.Checkpoint) (err error) {
	w := s.wiring()
	defer func() { err = errors.Join(err, w.Close()) }()
	at, err := w.Place(ctx, c)
	if err != nil {
		return err
	}
	return service.DeleteCheckpoint(ctx, s.store, w.Movers(), at, c)
}

// examine examines what deployments of the source rely on.
func (s site) examine(ctx context.Context, source service.Source) (_ []service.Check, err error) {
	w := s.wiring()
	defer func() { err = errors.Join(err, w.Close()) }()
	d := service.Doctor{
		Config: s.config, Adapters: w, ServerSite: w, Source: source, Namespace: "default",
		History: history.NewIndex(s.store), Catalogue: s.store, Receivers: w.CheckReceiver,
	}
	d.Examine(ctx)
	return d.Checks, ctx.Err()
}
