package kubernetes

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/traffic"
)

// following is how long Istio's proxies are given to follow a route before the subsets that it named go: they tell
// nobody, and a route to a subset that is gone answers 503.
const following = 3 * time.Second

var istioVersions = []string{"networking.istio.io/v1", "networking.istio.io/v1beta1", "networking.istio.io/v1alpha3"}

// weightedSubsets is a VirtualService that divides the traffic of one Service between two subsets of its
// destination rule.
type weightedSubsets struct {
	route place
	rule  place
	share traffic.Share
}

// subsets returns the VirtualServices of the division that send to its Service.
func (a *Account) subsets(ctx context.Context, d sluice.Division) ([]weightedSubsets, error) {
	var all []weightedSubsets
	for _, t := range d.Traffic {
		for _, i := range t.Istio {
			w, found, err := a.subsetsOf(ctx, d, i)
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

func (a *Account) subsetsOf(ctx context.Context, d sluice.Division, i sluice.Istio) (w weightedSubsets, found bool, err error) {
	if w.route, err = a.locate(ctx, "VirtualService", d.Namespace, i.VirtualService, istioVersions...); err != nil {
		return w, false, err
	}
	o, err := a.read(ctx, w.route.resource, w.route.ref)
	if err != nil {
		return w, false, err
	}
	if i.HTTPRoute != "" && !traffic.HasRoute(o, i.HTTPRoute) {
		return w, false, sluice.Errorf(sluice.NotFound, "%s has no HTTP route of the name %s", w.route.ref, i.HTTPRoute).WithHint("correct httpRouteName, or name the route")
	}
	w.share = traffic.Share{Service: d.Service, Percent: d.Percent, Route: i.HTTPRoute, Canary: cmp.Or(i.CanarySubset, sluice.TrackCanary)}
	w.share.Stable = cmp.Or(i.ActiveSubset, traffic.ActiveSubset(o, w.share), sluice.TrackStable)
	routes := traffic.VirtualService.Routes(o, w.share)
	if len(routes) == 0 {
		return w, false, nil
	}
	if len(routes) > 1 && i.HTTPRoute == "" {
		return w, false, sluice.Errorf(sluice.Invalid, "%d HTTP routes of %s send to Service/%s: %s", len(routes), w.route.ref, d.Service, strings.Join(named(routes), ", ")).
			WithHint("name the one whose traffic is divided: virtualService: {name: %s, httpRouteName: …}", w.route.ref.Name)
	}
	w.rule, err = a.ruleOf(ctx, d, i)
	return w, err == nil, err
}

func named(routes []string) []string {
	all := make([]string, len(routes))
	for i, name := range routes {
		all[i] = cmp.Or(name, "one without a name")
	}
	return all
}

// ruleOf returns the destination rule of the Service: the one that is named, or else the only one.
func (a *Account) ruleOf(ctx context.Context, d sluice.Division, i sluice.Istio) (place, error) {
	if i.DestinationRule != "" {
		return a.namedRule(ctx, d, i.DestinationRule)
	}
	at, err := a.locate(ctx, "DestinationRule", d.Namespace, "", istioVersions...)
	if err != nil {
		return at, err
	}
	rules, err := a.List(ctx, at.ref.APIVersion, at.ref.Kind, d.Namespace)
	if err != nil {
		return at, err
	}
	var names []string
	for _, r := range rules {
		if traffic.IsHost(r.Text("spec", "host"), d.Service, d.Namespace) {
			names = append(names, r.Text("metadata", "name"))
		}
	}
	if len(names) == 1 {
		at.ref.Name = names[0]
		return at, nil
	}
	if len(names) == 0 {
		return at, sluice.Errorf(sluice.NotFound, "no DestinationRule in the namespace %s is for Service/%s", d.Namespace, d.Service).
			WithHint("add one whose host is %s; its subsets may be left out", d.Service)
	}
	return at, sluice.Errorf(sluice.Invalid, "several DestinationRules are for Service/%s: %s", d.Service, strings.Join(names, ", ")).
		WithHint("name one of them in trafficManagement: destinationRule: {name: …}")
}

func (a *Account) namedRule(ctx context.Context, d sluice.Division, name string) (place, error) {
	at, err := a.locate(ctx, "DestinationRule", d.Namespace, name, istioVersions...)
	if err != nil {
		return at, err
	}
	o, err := a.read(ctx, at.resource, at.ref)
	if err != nil {
		return at, err
	}
	if host := o.Text("spec", "host"); !traffic.IsHost(host, d.Service, d.Namespace) {
		return at, sluice.Errorf(sluice.Invalid, "%s is for the host %s, not for Service/%s", at.ref, host, d.Service).WithHint("name the rule of that Service in trafficManagement")
	}
	return at, nil
}

// shiftSubsets narrows the subsets to the pods of the tracks, then weights the routes to them. The Service itself
// selects the pods of both: a subset is a part of it.
func (a *Account) shiftSubsets(ctx context.Context, d sluice.Division, all []weightedSubsets) error {
	hash, err := a.stableHash(ctx, d)
	if err != nil {
		return err
	}
	if err := a.unpin(ctx, d.Namespace, d.Service); err != nil {
		return err
	}
	for _, w := range all {
		if err := a.narrow(ctx, d, w, hash); err != nil {
			return err
		}
	}
	for _, w := range all {
		_, _, err := a.change(ctx, w.route, func(now sluice.Object) (sluice.Object, error) { return traffic.VirtualService.Divide(now, w.share) })
		if err != nil {
			return err
		}
	}
	return nil
}

// narrow writes the subsets, unless a side that is to get traffic would have no ready pod then.
func (a *Account) narrow(ctx context.Context, d sluice.Division, w weightedSubsets, hash string) error {
	service, err := a.serviceAt(ctx, d.Namespace, d.Service)
	if err != nil {
		return err
	}
	_, _, err = a.change(ctx, w.rule, func(now sluice.Object) (sluice.Object, error) {
		will, err := traffic.Narrow(now, traffic.Tracks{Stable: w.share.Stable, Canary: w.share.Canary, Hash: hash})
		if err != nil {
			return nil, err
		}
		for _, t := range []struct {
			side   side
			subset string
			used   bool
		}{{stableSide, w.share.Stable, d.Percent < 100}, {canarySide, w.share.Canary, d.Percent > 0}} {
			labels, _ := traffic.SubsetLabels(will, t.subset)
			if !t.used {
				continue
			}
			if err := a.refuse(ctx, d, t.side, with(traffic.Selector(service), labels)); err != nil {
				return nil, err
			}
		}
		return will, nil
	})
	return err
}

// releaseSubsets puts back the routes, and when the proxies have had time to follow them, the subsets.
func (a *Account) releaseSubsets(ctx context.Context, d sluice.Division) error {
	wrote := false
	for _, t := range d.Traffic {
		for _, i := range t.Istio {
			changed, err := a.putBack(ctx, "VirtualService", d.Namespace, i.VirtualService, func(now sluice.Object) (sluice.Object, error) {
				return traffic.VirtualService.Restore(now, d.Service)
			})
			if err != nil {
				return err
			}
			wrote = wrote || changed
		}
	}
	if wrote {
		pauseFor(ctx, following)
	}
	return a.widen(ctx, d)
}

// widen puts back every destination rule of the Service that was narrowed.
func (a *Account) widen(ctx context.Context, d sluice.Division) error {
	for _, t := range d.Traffic {
		for _, i := range t.Istio {
			at, err := a.ruleOf(ctx, d, i)
			if isAbsent(err) || sluice.ErrorCode(err) == sluice.Invalid {
				continue // nothing was narrowed under such a name
			}
			if err != nil {
				return err
			}
			if _, err := a.putBack(ctx, at.ref.Kind, d.Namespace, at.ref.Name, func(now sluice.Object) (sluice.Object, error) { return traffic.Widen(now), nil }); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// putBack changes the object of Istio, and reports whether there was anything to change.
func (a *Account) putBack(ctx context.Context, kind, namespace, name string, become func(sluice.Object) (sluice.Object, error)) (bool, error) {
	at, err := a.locate(ctx, kind, namespace, name, istioVersions...)
	if err == nil {
		var wrote bool
		_, wrote, err = a.change(ctx, at, become)
		if err == nil {
			return wrote, nil
		}
	}
	if isAbsent(err) {
		return false, nil
	}
	return false, err
}
