package bootstrap

import (
	"context"
	"maps"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/kubernetes"
	"github.com/sluice-cd/sluice/internal/service"
)

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
	return e.Review(ctx, kubernetes.Base(namespace))
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
	all := map[string]sluice.Account{}
	for _, name := range slices.Sorted(maps.Keys(w.config.Accounts)) {
		c := w.config.Accounts[name]
		if c.Type != config.AccountKubernetes || p != nil && !service.Uses(p, name) {
			continue
		}
		a, err := w.cluster(ctx, c)
		if err != nil {
			return nil, err
		}
		all[name] = a
	}
	return all, nil
}

// placed adds the place in sluice.yaml to an error.
func placed(err error, pos sluice.Position) error {
	if e, ok := err.(*sluice.Error); ok {
		return e.At(pos)
	}
	return err
}
