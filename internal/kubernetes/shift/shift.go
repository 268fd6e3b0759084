// Package shift divides the traffic of Services between stable and canary pods. It narrows Services, weighs the routes
// of gateways and meshes, and waits until the cluster has followed. Package traffic computes what the objects become.
// Start at [Shifter.Shift].
package shift

import (
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
	"github.com/sluice-cd/sluice/internal/kubernetes/traffic"
	"github.com/sluice-cd/sluice/internal/kubernetes/watch"
)

// settleTimeout bounds how long the cluster may take to apply a division that it has accepted.
const settleTimeout = time.Minute

// A Shifter divides the traffic of a cluster's Services. It is safe for concurrent use.
type Shifter struct {
	client    *client.Client
	informers *watch.Informers
}

// New returns the shifter of a cluster.
func New(c *client.Client, i *watch.Informers) *Shifter { return &Shifter{c, i} }

// Weighs reports whether a route of a gateway or of a service mesh divides the traffic.
func (*Shifter) Weighs(all []sluice.Traffic) bool {
	return slices.ContainsFunc(all, func(t sluice.Traffic) bool { return len(t.Gateway)+len(t.Istio)+len(t.SMI) > 0 })
}

// Shift sends the percentage to the ready canary pods and the rest to the stable ones. It returns when the Service's
// endpoints are those pods, and the gateways that report have taken up the weights. Nothing tells when kube-proxy and
// the proxies of a mesh follow, which usually takes well below a second more.
//
// A Service without a weighted route is pinned to one side, or to neither if the numbers of pods divide its traffic. If
// only some stable pods are to serve, they get the canary's release label, and the Service is pinned to that.
func (s *Shifter) Shift(ctx context.Context, of sluice.Division) error {
	d := division{s, of}
	if d.Percent < 0 || d.Percent > 100 {
		return sluice.Errorf(sluice.Invalid, "%d %% is not a part of the traffic", d.Percent).
			WithHint("name a weight from 0 to 100")
	}
	if d.Percent == 0 || !d.Declared {
		if divisible, err := d.isDivisible(ctx); err != nil || !divisible {
			return err
		}
	}
	subsets, err := d.subsets(ctx)
	if err != nil {
		return err
	}
	routes := d.routes()
	if len(routes) > 0 && len(subsets) > 0 {
		return sluice.Errorf(sluice.Invalid, "the traffic of Service/%s is divided by Istio and by %s at once", d.Service,
			routes[0].ref).WithHint("leave one of the two out of trafficManagement")
	}
	if len(subsets) > 0 {
		return d.shiftSubsets(ctx, subsets)
	}
	return d.shiftRoutes(ctx, routes)
}

// shiftRoutes prepares the canary's Services, pins the Service itself, and then writes the weights.
func (d division) shiftRoutes(ctx context.Context, routes []weightedRoute) error {
	for _, r := range routes {
		if err := d.prepare(ctx, r); err != nil {
			return err
		}
	}
	if err := d.pin(ctx); err != nil {
		return err
	}
	for _, r := range routes {
		if err := d.weigh(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// Release puts back what Shift changed: first the routes, then the Services. Last it deletes what Shift made.
func (s *Shifter) Release(ctx context.Context, of sluice.Division) error {
	d := division{s, of}
	if err := d.releaseSubsets(ctx); err != nil {
		return err
	}
	routes := d.routes()
	for _, r := range routes {
		if err := d.releaseRoute(ctx, r); err != nil {
			return err
		}
	}
	if err := d.unpin(ctx); err != nil {
		return err
	}
	if _, err := d.unmark(ctx, nil); err != nil {
		return err
	}
	for _, r := range routes {
		if err := d.releaseCanary(ctx, r.canary); err != nil {
			return err
		}
	}
	return nil
}

// A division is one call of Shift or Release.
type division struct {
	*Shifter
	sluice.Division
}

// A side is the pods to which a Service is pinned.
type side int

const (
	bothSides side = iota
	stableSide
	canarySide
	servingSide // the canary pods, and as many stable ones as are to serve
)

// serviceSide returns where the Service itself sends its traffic. Weighted routes do not cover clients that reach the
// Service directly. Those stay with one side all the time: at 100 % the stable pods may be replaced.
func (d division) serviceSide() side {
	switch {
	case d.Percent == 100:
		return canarySide
	case d.Percent == 0 || d.Weighs(d.Traffic):
		return stableSide
	case d.Division.Release != "" && d.Serving > 0:
		return servingSide
	}
	return bothSides
}

// labelsOf returns the labels that only the pods of the side have. A release label tells canary pods only from stable
// ones that do not serve.
func (d division) labelsOf(ctx context.Context, s side) (map[string]string, error) {
	switch {
	case s == canarySide && d.Division.Release != "":
		hash, err := d.canaryHash(ctx)
		return map[string]string{traffic.HashLabel: hash}, err
	case s == canarySide, s == servingSide:
		return traffic.CanaryLabels(d.Division.Release, nil), nil
	case s == stableSide:
		hash, err := d.stableHash(ctx)
		return map[string]string{traffic.HashLabel: hash}, err
	}
	return nil, nil
}

// canarySelector returns what selects the canary pods among those of the Service.
func (d division) canarySelector(service sluice.Object) map[string]string {
	return labels.Merge(traffic.Selector(service), traffic.CanaryLabels(d.Division.Release, nil))
}

// canaryHash returns the hash of the canary's version. It is the release itself, unless the cluster made the ReplicaSet
// because Sluice may not. The Deployment may have made one of the same release, if it could not adopt the canary's.
func (d division) canaryHash(ctx context.Context) (string, error) {
	sets, err := d.informers.ReplicaSets(ctx, d.Namespace)
	if err != nil {
		return "", err
	}
	hash := d.Division.Release
	for _, rs := range sets {
		if rs.Text("metadata", "labels", sluice.ReleaseLabel) != d.Division.Release {
			continue
		}
		if hash = rs.Text("metadata", "labels", traffic.HashLabel); hash == d.Division.Release {
			break
		}
	}
	return hash, nil
}

// stableHash returns the hash of the stable Deployment's current version.
func (d division) stableHash(ctx context.Context) (string, error) {
	stable, err := d.read(ctx, "apps/v1", "Deployment", d.Stable)
	if err != nil {
		return "", err
	}
	sets, err := d.informers.ReplicaSets(ctx, d.Namespace)
	if err != nil {
		return "", err
	}
	return traffic.Hash(stable, sets)
}

// refuse returns an error if no pod of the side that the selector selects is ready. That of the stable side is
// Unavailable: these pods were ready, and are again when the node has told an API server that was away. To go back
// would need them too.
func (d division) refuse(ctx context.Context, s side, selector map[string]string) error {
	if s == bothSides || s == servingSide { // whose pods mark has looked at
		return nil
	}
	pods, err := d.pods(ctx, selector)
	if err != nil || len(traffic.Ready(pods, selector)) > 0 {
		return err
	}
	name, track, code := d.Stable, sluice.TrackStable, sluice.Unavailable
	if s == canarySide {
		name, track, code = d.Canary, sluice.TrackCanary, sluice.Failed
	}
	return sluice.Errorf(code, "no traffic of Service/%s can go to the %s pods: "+
		"none of Deployment/%s is ready that the Service selects", d.Service, track, name).
		WithHint("see why with: kubectl describe pods --namespace %s --selector %s", d.Namespace, labels.Set(selector))
}
