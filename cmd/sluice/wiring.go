package main

import (
	"context"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/database/mongodb"
	"github.com/sluice-cd/sluice/internal/httpapi"
	"github.com/sluice-cd/sluice/internal/mover"
	"github.com/sluice-cd/sluice/internal/mover/kopia"
	"github.com/sluice-cd/sluice/internal/prometheus"
	"github.com/sluice-cd/sluice/internal/secret"
	"github.com/sluice-cd/sluice/internal/step"
)

// A wiring ties the adapters together for one configuration. Nothing else knows more than one of them.
type wiring struct {
	dir          stateDir
	config       *config.Config
	key          *secret.Key
	catalogue    sluice.Catalogue
	callbackBase string
	passive      bool            // nothing is started: what does not run is unavailable
	reached      map[string]bool // the accounts that were opened
	opened       map[string]sluice.Account
	only         *sluice.Plan // whose clusters are opened; nil: all
	close        closers
}

// steps returns the maker of every step.
func (w *wiring) steps(ctx context.Context) (sluice.Steps, error) {
	accounts, err := w.accounts(ctx)
	if err != nil {
		return nil, err
	}
	metrics, err := w.metrics()
	if err != nil {
		return nil, err
	}
	d := step.Deps{
		Accounts: accounts, Metrics: metrics, Secrets: secret.Values(w.config.Secrets), Sealer: w.key, MaskKey: []byte(w.key.Password("mask")),
		Movers: w.movers(), Databases: databases(), Catalogue: w.catalogue,
		Callbacks: func(id sluice.DeploymentID, step sluice.StepID) (string, error) {
			return httpapi.CallbackURL(w.callbackBase, w.key, id, step), nil
		},
		Preview: w.preview, HTTP: webhookClient(w.config.Webhooks.Allow), Replace: w.config.Webhooks.Replace,
	}
	return w.rehearsing(step.New(d), d), nil
}

func (w *wiring) metrics() (map[string]sluice.Metrics, error) {
	all := map[string]sluice.Metrics{}
	for name, m := range w.config.Metrics {
		p, err := prometheus.New(m.URL, prometheus.Options{Username: m.Username, Password: reader(m.Password), Bearer: reader(m.Bearer)})
		if err != nil {
			return nil, sluice.Errorf(sluice.ErrorCode(err), "metric provider %s: %w", name, err).At(m.Pos)
		}
		all[name] = p
	}
	return all, nil
}

// reader returns what reads the secret anew each time, nil where there is none.
func reader(s config.Source) func(context.Context) (string, error) {
	if !s.IsSet() {
		return nil
	}
	return func(context.Context) (string, error) { return secret.Read(s) }
}

func (w *wiring) movers() map[string]sluice.Mover {
	dir := w.config.Repository.Path
	if dir == "" {
		dir = w.dir.path("repository")
	}
	password := reader(w.config.Repository.Password)
	if password == nil {
		password = func(context.Context) (string, error) { return w.key.Password("repository"), nil }
	}
	m := kopia.New(kopia.Options{Dir: dir, CacheDir: w.dir.path("cache"), Password: password})
	w.close.add(func() error { return m.Close(context.Background()) })
	return map[string]sluice.Mover{kopia.Name: mover.Wrap(m)}
}

// databases are the engines that datasets can be read from.
func databases() map[string]sluice.Databases {
	return map[string]sluice.Databases{"mongodb": mongodb.New()}
}
