package shift

import (
	"cmp"
	"context"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
	"github.com/sluice-cd/sluice/internal/kubernetes/traffic"
)

// proxyDelay is how long Istio's proxies get to follow a route before its subsets are removed. They do not report what
// they have done, and a route to a removed subset answers 503.
const proxyDelay = 3 * time.Second

var istioVersions = []string{"networking.istio.io/v1", "networking.istio.io/v1beta1", "networking.istio.io/v1alpha3"}

// weightedSubsets is a VirtualService that divides the traffic of one Service between two subsets of its
// DestinationRule.
type weightedSubsets struct {
	route client.ObjectRef
	rule  client.ObjectRef
	share traffic.Share
}

// subsets returns the VirtualServices of the division that send to its Service.
func (d division) subsets(ctx context.Context) ([]weightedSubsets, error) {
	var all []weightedSubsets
	for _, t := range d.Traffic {
		for _, i := range t.Istio {
			w, found, err := d.subsetsOf(ctx, i)
			if err != nil {
				return nil, err
			}
			if found {
				all = append(all, w)
			}
		}
	}
	return all, nil
}

func (d division) subsetsOf(ctx context.Context, i sluice.Istio) (w weightedSubsets, found bool, err error) {
	if w.route, err = d.locate(ctx, "VirtualService", i.VirtualService, istioVersions...); err != nil {
		return w, false, err
	}
	o, err := d.informers.Read(ctx, w.route)
	if err != nil {
		return w, false, err
	}
	if i.HTTPRoute != "" && !traffic.HasRoute(o, i.HTTPRoute) {
		return w, false, sluice.Errorf(sluice.NotFound, "%s has no HTTP route named %s", w.route, i.HTTPRoute).
			WithHint("correct httpRouteName, or name the route")
	}
	w.share = traffic.Share{
		Service: d.Service, Percent: d.Percent, Route: i.HTTPRoute, Canary: cmp.Or(i.CanarySubset, sluice.TrackCanary),
	}
	w.share.Stable = cmp.Or(i.ActiveSubset, traffic.ActiveSubset(o, w.share), sluice.TrackStable)
	routes := traffic.VirtualService.Routes(o, w.share)
	if len(routes) == 0 {
		return w, false, nil
	}
	if len(routes) > 1 && i.HTTPRoute == "" {
		for n, name := range routes {
			routes[n] = cmp.Or(name, "one without a name")
		}
		return w, false, sluice.Errorf(sluice.Invalid, "%d HTTP routes of %s send to Service/%s: %s", len(routes), w.route,
			d.Service, strings.Join(routes, ", ")).
			WithHint("name the one whose traffic is divided: virtualService: {name: %s, httpRouteName: …}", w.route.Name)
	}
	w.rule, err = d.ruleOf(ctx, i)
	return w, err == nil, err
}

// ruleOf returns the DestinationRule of the Service: the one that is named, or else the only one.
func (d division) ruleOf(ctx context.Context, i sluice.Istio) (client.ObjectRef, error) {
	ref, err := d.locate(ctx, "DestinationRule", i.DestinationRule, istioVersions...)
	if err != nil {
		return ref, err
	}
	if i.DestinationRule != "" {
		return ref, d.mustBeRule(ctx, ref)
	}
	rules, err := d.client.List(ctx, ref.APIVersion, ref.Kind, d.Namespace)
	if err != nil {
		return ref, err
	}
	var names []string
	for _, r := range rules {
		if traffic.IsHost(r.Text("spec", "host"), d.Service, d.Namespace) {
			names = append(names, r.Text("metadata", "name"))
		}
	}
	if len(names) == 1 {
		ref.Name = names[0]
		return ref, nil
	}
	if len(names) == 0 {
		return ref, sluice.Errorf(sluice.NotFound, "no DestinationRule in the namespace %s is for Service/%s", d.Namespace,
			d.Service).WithHint("add one whose host is %s; its subsets may be left out", d.Service)
	}
	return ref, sluice.Errorf(sluice.Invalid, "several DestinationRules are for Service/%s: %s", d.Service,
		strings.Join(names, ", ")).WithHint("name one of them in trafficManagement: destinationRule: {name: …}")
}

// mustBeRule returns an error if the DestinationRule is not for the Service.
func (d division) mustBeRule(ctx context.Context, ref client.ObjectRef) error {
	o, err := d.informers.Read(ctx, ref)
	if err != nil {
		return err
	}
	if host := o.Text("spec", "host"); !traffic.IsHost(host, d.Service, d.Namespace) {
		return sluice.Errorf(sluice.Invalid, "%s is for the host %s, not for Service/%s", ref, host, d.Service).
			WithHint("name the rule of that Service in trafficManagement")
	}
	return nil
}

// shiftSubsets narrows the subsets to the pods of the tracks, then weighs the routes to them. The Service itself
// selects the pods of both tracks, since a subset is a part of it.
func (d division) shiftSubsets(ctx context.Context, all []weightedSubsets) error {
	hash, err := d.stableHash(ctx)
	if err != nil {
		return err
	}
	if err := d.unpin(ctx); err != nil {
		return err
	}
	for _, w := range all {
		if err := d.narrow(ctx, w, hash); err != nil {
			return err
		}
	}
	for _, w := range all {
		_, _, err := d.change(ctx, w.route, func(now sluice.Object) (sluice.Object, error) {
			return traffic.VirtualService.Divide(now, w.share)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// narrow writes the subsets, unless a side that is to get traffic would have no ready pod.
func (d division) narrow(ctx context.Context, w weightedSubsets, hash string) error {
	service, err := d.read(ctx, "v1", "Service", d.Service)
	if err != nil {
		return err
	}
	_, _, err = d.change(ctx, w.rule, func(now sluice.Object) (sluice.Object, error) {
		tracks := traffic.Tracks{Stable: w.share.Stable, Canary: w.share.Canary, Hash: hash, Release: d.Division.Release}
		will, err := traffic.Narrow(now, tracks)
		if err != nil {
			return nil, err
		}
		for _, t := range []struct {
			side   side
			subset string
			used   bool
		}{{stableSide, w.share.Stable, d.Percent < 100}, {canarySide, w.share.Canary, d.Percent > 0}} {
			if !t.used {
				continue
			}
			subset, _ := traffic.SubsetLabels(will, t.subset)
			if err := d.refuse(ctx, t.side, labels.Merge(traffic.Selector(service), subset)); err != nil {
				return nil, err
			}
		}
		return will, nil
	})
	return err
}

// releaseSubsets puts back the routes, and the subsets when the proxies have had time to follow.
func (d division) releaseSubsets(ctx context.Context) error {
	wrote := false
	for _, t := range d.Traffic {
		for _, i := range t.Istio {
			changed, err := d.putBack(ctx, "VirtualService", i.VirtualService, func(o sluice.Object) (sluice.Object, error) {
				return traffic.VirtualService.Restore(o, d.Service)
			})
			if err != nil {
				return err
			}
			wrote = wrote || changed
		}
	}
	if wrote {
		select {
		case <-time.After(proxyDelay):
		case <-ctx.Done():
		}
	}
	return d.widen(ctx)
}

// widen puts back every DestinationRule of the Service that was narrowed.
func (d division) widen(ctx context.Context) error {
	for _, t := range d.Traffic {
		for _, i := range t.Istio {
			ref, err := d.ruleOf(ctx, i)
			if sluice.ErrorCode(err) == sluice.Invalid || err != nil && ignoreAbsent(err) == nil {
				continue // nothing was narrowed under such a name
			}
			if err != nil {
				return err
			}
			_, err = d.putBack(ctx, ref.Kind, ref.Name, func(now sluice.Object) (sluice.Object, error) {
				return traffic.Widen(now), nil
			})
			if err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// putBack changes an object of Istio, and reports whether that was necessary.
func (d division) putBack(ctx context.Context, kind, name string, become mutation) (bool, error) {
	ref, err := d.locate(ctx, kind, name, istioVersions...)
	if err != nil {
		return false, ignoreAbsent(err)
	}
	_, wrote, err := d.change(ctx, ref, become)
	return wrote, ignoreAbsent(err)
}
