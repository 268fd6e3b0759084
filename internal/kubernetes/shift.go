package kubernetes

import (
	"context"
	"slices"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/traffic"
)

// settling bounds how long the cluster may take to carry out a division that it has accepted.
const settling = time.Minute

// Weighs reports whether a route of a gateway or of a service mesh divides the traffic.
func (*Account) Weighs(all []sluice.Traffic) bool {
	return slices.ContainsFunc(all, func(t sluice.Traffic) bool { return len(t.Gateway)+len(t.Istio)+len(t.SMI) > 0 })
}

// Shift sends the percentage to the ready canary pods and the rest to the stable ones. It returns once the
// Service's endpoints are those pods, and the gateways that report have taken up the weights; what kube-proxy and the proxies of
// a mesh need to follow, usually well below a second, comes on top, since nothing tells of it.
//
// A Service that no weighted route names is pinned to one side, or where the numbers of pods divide, to neither.
func (a *Account) Shift(ctx context.Context, d sluice.Division) error {
	if d.Percent < 0 || d.Percent > 100 {
		return sluice.Errorf(sluice.Invalid, "%d %% is no part of the traffic", d.Percent).WithHint("name a weight from 0 to 100")
	}
	if d.Percent == 0 || !d.Declared {
		if divisible, err := a.begins(ctx, d); err != nil || !divisible {
			return err
		}
	}
	w, err := a.ways(ctx, d)
	if err != nil {
		return err
	}
	if len(w.subsets) > 0 {
		return a.shiftSubsets(ctx, d, w.subsets)
	}
	for _, r := range w.routes {
		if err := a.prepare(ctx, d, r); err != nil {
			return err
		}
	}
	if err := a.pin(ctx, d, a.side(d)); err != nil {
		return err
	}
	for _, r := range w.routes {
		if err := r.divide(ctx, a, d); err != nil {
			return err
		}
	}
	return nil
}

// Release puts back what Shift changed: first the routes, then the Services, and last it deletes what Shift made.
func (a *Account) Release(ctx context.Context, d sluice.Division) error {
	if err := a.releaseSubsets(ctx, d); err != nil {
		return err
	}
	routes := a.routes(d)
	for _, r := range routes {
		if err := r.restore(ctx, a, d); err != nil {
			return err
		}
	}
	if err := a.unpin(ctx, d.Namespace, d.Service); err != nil {
		return err
	}
	for _, r := range routes {
		if err := a.dropCanary(ctx, d, r.canary); err != nil {
			return err
		}
	}
	return nil
}

// ways is by what the traffic of one Service is divided: routes to Services, or subsets of one. None is by the
// Service alone.
type ways struct {
	routes  []weightedRoute
	subsets []weightedSubsets
}

func (a *Account) ways(ctx context.Context, d sluice.Division) (ways, error) {
	subsets, err := a.subsets(ctx, d)
	if err != nil {
		return ways{}, err
	}
	w := ways{routes: a.routes(d), subsets: subsets}
	if len(w.routes) > 0 && len(w.subsets) > 0 {
		return ways{}, sluice.Errorf(sluice.Invalid, "the traffic of Service/%s is divided by Istio and by %s at once", d.Service, w.routes[0].ref).
			WithHint("leave one of the two out of trafficManagement")
	}
	return w, nil
}

// side is which pods a Service is pinned to.
type side int

const (
	bothSides side = iota
	stableSide
	canarySide
)

// side returns where the Service itself sends traffic. Beside weighted routes, which leave out clients that reach
// the Service directly, it stays with one side all the time: at 100 % the stable pods may be replaced.
func (a *Account) side(d sluice.Division) side {
	switch {
	case d.Percent == 100:
		return canarySide
	case d.Percent == 0 || a.Weighs(d.Traffic):
		return stableSide
	}
	return bothSides
}

// labels returns what the pods of the side have that the others lack.
func (a *Account) labels(ctx context.Context, d sluice.Division, s side) (map[string]string, error) {
	switch s {
	case canarySide:
		return map[string]string{sluice.TrackLabel: sluice.TrackCanary}, nil
	case stableSide:
		hash, err := a.stableHash(ctx, d)
		return map[string]string{traffic.HashLabel: hash}, err
	}
	return nil, nil
}

// stableHash returns the hash of the stable Deployment's current version.
func (a *Account) stableHash(ctx context.Context, d sluice.Division) (string, error) {
	at, err := a.locate(ctx, "Deployment", d.Namespace, d.Stable, "apps/v1")
	if err != nil {
		return "", err
	}
	deployment, err := a.read(ctx, at.resource, at.ref)
	if err != nil {
		return "", err
	}
	sets, err := a.selected(ctx, "apps/v1", "replicasets", d.Namespace, selectorOf(deployment))
	if err != nil {
		return "", err
	}
	return traffic.Hash(deployment, sets)
}

// refuse returns an error if the side has no ready pod among those with the labels.
func (a *Account) refuse(ctx context.Context, d sluice.Division, s side, selector map[string]string) error {
	if s == bothSides {
		return nil
	}
	pods, err := a.selected(ctx, "v1", "pods", d.Namespace, selector)
	if err != nil || len(traffic.Ready(pods, selector)) > 0 {
		return err
	}
	name, which := d.Stable, "stable"
	if s == canarySide {
		name, which = d.Canary, "canary"
	}
	return sluice.Errorf(sluice.Failed, "no traffic of Service/%s can go to the %s pods: none of Deployment/%s is ready that the Service selects", d.Service, which, name).
		WithHint("see why with: kubectl describe pods --namespace %s --selector %s", d.Namespace, formatted(selector))
}
