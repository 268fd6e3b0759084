package kubernetes

import (
	"cmp"
	"context"
	"net/url"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/traffic"
)

// lettingGo bounds how long a gateway is waited for before its route's canary goes.
const lettingGo = 10 * time.Second

// A weightedRoute is an object whose backends are Services: the stable pods' own one, and one for the canary.
type weightedRoute struct {
	ref      sluice.Ref // its version is the first of versions that the cluster serves
	versions []string
	shape    traffic.Shape
	canary   string // the Service of the canary pods
	adopt    bool   // whether the canary's Service may be the user's
	make     bool   // whether the object is made where there is none
	reports  bool   // whether gateways say in its status what they have taken up
}

var (
	gatewayVersions = []string{"gateway.networking.k8s.io/v1", "gateway.networking.k8s.io/v1beta1", "gateway.networking.k8s.io/v1alpha2"}
	splitVersions   = []string{"split.smi-spec.io/v1alpha4", "split.smi-spec.io/v1alpha3", "split.smi-spec.io/v1alpha2"}
)

// routes returns the objects that divide the Service's traffic between Services.
func (a *Account) routes(d sluice.Division) []weightedRoute {
	var all []weightedRoute
	for _, t := range d.Traffic {
		for _, g := range t.Gateway {
			if g.Service == d.Service {
				ref := sluice.Ref{Kind: cmp.Or(g.Kind, "HTTPRoute"), Namespace: d.Namespace, Name: g.Name}
				all = append(all, weightedRoute{ref: ref, versions: gatewayVersions, shape: traffic.Gateway, canary: d.Service + "-" + sluice.TrackCanary, reports: true})
			}
		}
		for _, s := range t.SMI {
			if s.RootServiceName == d.Service {
				ref := sluice.Ref{Kind: "TrafficSplit", Namespace: d.Namespace, Name: cmp.Or(s.TrafficSplitName, d.Service)}
				canary := cmp.Or(s.CanaryServiceName, d.Service+"-"+sluice.TrackCanary)
				all = append(all, weightedRoute{ref: ref, versions: splitVersions, shape: traffic.Split, canary: canary, adopt: true, make: true})
			}
		}
	}
	return all
}

func (r weightedRoute) share(d sluice.Division) traffic.Share {
	return traffic.Share{Service: d.Service, Percent: d.Percent, Canary: r.canary}
}

func (r weightedRoute) at(ctx context.Context, a *Account) (place, error) {
	return a.locate(ctx, r.ref.Kind, r.ref.Namespace, r.ref.Name, r.versions...)
}

// divide writes the weights, and returns once the gateways that report have taken them up.
func (r weightedRoute) divide(ctx context.Context, a *Account, d sluice.Division) error {
	at, err := r.at(ctx, a)
	if err != nil {
		return err
	}
	if r.make && d.Percent == 0 {
		return r.restore(ctx, a, d) // without a split the Service gets everything
	}
	o, _, err := a.change(ctx, at, func(now sluice.Object) (sluice.Object, error) {
		if err := r.sends(now, d); err != nil {
			return nil, err
		}
		return r.shape.Divide(now, r.share(d))
	})
	if r.make && sluice.ErrorCode(err) == sluice.NotFound {
		return r.create(ctx, a, at, d)
	}
	if err != nil {
		return err
	}
	return a.awaitRoute(ctx, at, o, r.reports)
}

// check returns an error if the object cannot divide the Service's traffic.
func (r weightedRoute) check(ctx context.Context, a *Account, d sluice.Division) error {
	at, err := r.at(ctx, a)
	if err != nil {
		return err
	}
	now, err := a.read(ctx, at.resource, at.ref)
	if r.make && sluice.ErrorCode(err) == sluice.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	return r.sends(now, d)
}

func (r weightedRoute) sends(o sluice.Object, d sluice.Division) error {
	if len(r.shape.Routes(o, r.share(d))) > 0 {
		return nil
	}
	return sluice.Errorf(sluice.Invalid, "%s sends nothing to Service/%s, so it cannot divide its traffic", r.ref, d.Service).
		WithHint("name the Service among its backends, or correct trafficManagement")
}

func (r weightedRoute) create(ctx context.Context, a *Account, at place, d sluice.Division) error {
	o, err := traffic.NewSplit(at.ref.APIVersion, d.Namespace, at.ref.Name, d.Service)
	if err != nil {
		return err
	}
	if o, err = r.shape.Divide(o, r.share(d)); err != nil {
		return err
	}
	_, err = a.create(ctx, at, o)
	return err
}

// restore takes the Service's share out of the object, or deletes the object if it was made for it.
func (r weightedRoute) restore(ctx context.Context, a *Account, d sluice.Division) error {
	at, err := r.at(ctx, a)
	if err == nil {
		err = r.restoreAt(ctx, a, at, d.Service)
	}
	if isAbsent(err) {
		return nil
	}
	return err
}

func (r weightedRoute) restoreAt(ctx context.Context, a *Account, at place, service string) error {
	now, err := a.read(ctx, at.resource, at.ref)
	if err != nil {
		return err
	}
	if traffic.MadeFor(now) == service {
		return a.remove(ctx, at, now)
	}
	o, wrote, err := a.change(ctx, at, func(now sluice.Object) (sluice.Object, error) { return r.shape.Restore(now, service) })
	if err != nil || !wrote {
		return err
	}
	short, cancel := context.WithTimeout(ctx, lettingGo)
	defer cancel()
	if err := a.awaitRoute(short, at, o, r.reports); err != nil && short.Err() == nil {
		return err
	}
	return ctx.Err()
}

// awaitRoute returns once every gateway that reports on the route has taken it up as it is now.
func (a *Account) awaitRoute(ctx context.Context, at place, o sluice.Object, reports bool) error {
	done, why := traffic.TakenUp(o)
	if done || !reports {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, settling, errUnsettled)
	defer cancel()
	byName := url.Values{"fieldSelector": {"metadata.name=" + at.ref.Name}}
	path := namespaced(at.ref.APIVersion, at.ref.Namespace, at.resource.Resource)
	watched := notices[sluice.Object](ctx, a, request{op: "watch " + at.ref.String(), path: path, query: byName})
	for {
		select {
		case n := <-watched:
			if n.err != nil {
				return n.err
			}
			if done, why = traffic.TakenUp(n.object); done {
				return nil
			}
		case <-ctx.Done():
			return unsettled(ctx, at.ref.String()+": "+why)
		}
	}
}
