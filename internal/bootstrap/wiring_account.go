package bootstrap

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/kubernetes"
	"github.com/sluice-cd/sluice/internal/kubernetes/rights"
	"github.com/sluice-cd/sluice/internal/local"
	"github.com/sluice-cd/sluice/internal/local/agent"
	"github.com/sluice-cd/sluice/internal/service"
)

// accounts opens the accounts of the configuration. A cluster that cannot be opened, because its kubeconfig is not on
// this machine, is an error only if a deployment that has not ended needs it.
func (w *Wiring) accounts(ctx context.Context, store sluice.Store) error {
	all, err := w.locals(ctx, false)
	if err != nil {
		return err
	}
	clusters, unopened := w.clusters(ctx, nil)
	maps.Copy(all, clusters)
	w.opened, w.unopened = all, unopened
	if len(unopened) == 0 {
		return nil
	}
	running, err := store.Unended(ctx)
	if err != nil {
		return err
	}
	for _, id := range running {
		s, err := engine.Fold(id, store.Read(ctx, id, 0))
		if err != nil {
			return err
		}
		for name, err := range unopened {
			if s.Plan.Rehearsal == nil && service.Uses(s.Plan, name) {
				return err
			}
		}
	}
	return nil
}

// looking opens the accounts of this machine to be looked at.
func (w *Wiring) looking() map[string]sluice.Account {
	all := map[string]sluice.Account{}
	for name, c := range w.config.Accounts {
		if c.Type == config.AccountLocal {
			o := local.Config{Dir: w.dir.account(name), Name: name, Images: imagesOf(c.Images), Look: true}
			all[name] = local.Open(o).Abilities()
		}
	}
	return all
}

// locals opens the accounts of this machine. If passive is true, it opens only those that run.
func (w *Wiring) locals(ctx context.Context, passive bool) (map[string]sluice.Account, error) {
	all := map[string]sluice.Account{}
	known, err := w.localAccounts()
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		c := local.Config{Dir: w.dir.account(name), Name: name}
		_, use := w.config.Accounts[name] // the accounts that rehearsals left are only read
		if passive {
			use = agent.Answers(ctx, c.Dir) // no images are passed: looking at an account must not change what it runs
		} else {
			c.Images = imagesOf(known[name].Images)
		}
		if !use {
			continue
		}
		if all[name], err = openLocal(ctx, c); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// openLocal starts an account that was used before. An account that was never used starts with its first use, which is
// also when a machine that runs no local accounts says so.
func openLocal(ctx context.Context, c local.Config) (sluice.Account, error) {
	if _, err := os.Stat(c.Dir); errors.Is(err, fs.ErrNotExist) || local.Supported() != nil {
		return local.Open(c).Abilities(), nil
	}
	a, err := local.Dial(ctx, c)
	if err != nil {
		return sluice.Account{}, err
	}
	return a.Abilities(), nil
}

// Account opens a cluster, or an account of this machine that already runs.
func (w *Wiring) Account(ctx context.Context, name string) (sluice.Account, error) {
	if c := w.config.Accounts[name]; c.Type == config.AccountKubernetes {
		a, err := w.cluster(ctx, c)
		if err != nil {
			return sluice.Account{}, err
		}
		return a.Abilities(), nil
	}
	accounts, err := w.locals(ctx, true)
	if err != nil {
		return sluice.Account{}, err
	}
	if account, ok := accounts[name]; ok {
		return account, nil
	}
	known, err := w.localAccounts()
	if err != nil {
		return sluice.Account{}, err
	}
	if _, exists := known[name]; !exists {
		return sluice.Account{}, sluice.Errorf(sluice.NotFound, "there is no account %q", name).
			WithHint("the accounts are: %s", service.Names(known))
	}
	return sluice.Account{}, sluice.Errorf(sluice.Unavailable, "account %s does not run", name).
		WithHint("sluice run starts it")
}

// Place returns where a checkpoint was taken. It opens the account only if the copy is in its storage.
func (w *Wiring) Place(ctx context.Context, c sluice.Checkpoint) (at sluice.Place, err error) {
	at = sluice.Place{Name: c.Account, Namespace: c.Namespace}
	if c.Copy.InStorage() {
		at.Account, err = w.Account(ctx, c.Account)
	}
	return at, err
}

// Answering returns the accounts of this machine that run, and the clusters, of which it says which cannot be opened.
// It starts nothing.
func (w *Wiring) Answering(ctx context.Context) (
	all map[string]sluice.Account, unopened map[string]error, err error,
) {
	all, err = w.locals(ctx, true)
	if err != nil {
		return nil, nil, err
	}
	clusters, unopened := w.clusters(ctx, nil)
	maps.Copy(all, clusters)
	return all, unopened, nil
}

// Cluster opens an account of the type kubernetes to examine it. It does not contact the cluster yet.
func (w *Wiring) Cluster(ctx context.Context, c config.Account) (service.Cluster, error) {
	a, err := w.cluster(ctx, c)
	return examined{a}, err
}

// examined makes a cluster a [service.Cluster].
type examined struct{ *kubernetes.Account }

func (e examined) Reach(ctx context.Context) (service.Reached, error) {
	r, err := e.Account.Reach(ctx)
	return service.Reached(r), err
}

func (e examined) MissingBase(ctx context.Context, namespace string) ([]sluice.Right, error) {
	return e.Review(ctx, rights.Base(namespace))
}

func (w *Wiring) cluster(ctx context.Context, c config.Account) (*kubernetes.Account, error) {
	a, err := kubernetes.Open(ctx, kubernetes.Options{
		Name: c.Name, Kubeconfig: c.Kubeconfig, Context: c.Context, InCluster: c.InCluster,
		UserAgent: "sluice/" + Version().Version,
	})
	if err != nil {
		return nil, placed(err, c.Pos)
	}
	w.close.add(a.Close)
	return a, nil
}

// Clusters opens the accounts of the type kubernetes that the plan uses, or all if there is no plan.
func (w *Wiring) Clusters(ctx context.Context, p *sluice.Plan) (map[string]sluice.Account, error) {
	all, unopened := w.clusters(ctx, p)
	for _, name := range slices.Sorted(maps.Keys(unopened)) {
		return nil, unopened[name]
	}
	return all, nil
}

// clusters is Clusters, but says why each of the others cannot be opened.
func (w *Wiring) clusters(ctx context.Context, p *sluice.Plan) (
	all map[string]sluice.Account, unopened map[string]error,
) {
	all, unopened = map[string]sluice.Account{}, map[string]error{}
	for name, c := range w.config.Accounts {
		if c.Type != config.AccountKubernetes || p != nil && !service.Uses(p, name) {
			continue
		}
		a, err := w.cluster(ctx, c)
		if err != nil {
			unopened[name] = err
			continue
		}
		all[name] = a.Abilities()
	}
	return all, unopened
}

// placed adds the place in sluice.yaml to an error.
func placed(err error, pos sluice.Position) error {
	if e, ok := err.(*sluice.Error); ok {
		return e.At(pos)
	}
	return err
}
