package shift

import (
	"cmp"
	"context"
	"net/url"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
	"github.com/sluice-cd/sluice/internal/kubernetes/traffic"
	"github.com/sluice-cd/sluice/internal/kubernetes/watch"
)

// releaseTimeout bounds how long the removal of a route's canary waits for the gateways.
const releaseTimeout = 10 * time.Second

// A weightedRoute is an object whose backends are the Service itself, for the stable pods, and one for the canary.
type weightedRoute struct {
	ref      sluice.Ref // without version
	versions []string   // the first that the cluster serves is used
	shape    traffic.Shape
	canary   string // the Service of the canary pods
	adopt    bool   // whether the canary's Service may be the user's
	make     bool   // whether the object is made if there is none
	reports  bool   // whether gateways report in its status what they have taken up
}

var (
	gatewayVersions = []string{
		"gateway.networking.k8s.io/v1", "gateway.networking.k8s.io/v1beta1", "gateway.networking.k8s.io/v1alpha2",
	}
	splitVersions = []string{"split.smi-spec.io/v1alpha4", "split.smi-spec.io/v1alpha3", "split.smi-spec.io/v1alpha2"}
)

// routes returns the objects that divide the Service's traffic between Services.
func (d division) routes() []weightedRoute {
	var all []weightedRoute
	canary := d.Service + "-" + sluice.TrackCanary
	for _, t := range d.Traffic {
		for _, g := range t.Gateway {
			if g.Service == d.Service {
				ref := sluice.Ref{Kind: cmp.Or(g.Kind, "HTTPRoute"), Namespace: d.Namespace, Name: g.Name}
				all = append(all, weightedRoute{
					ref: ref, versions: gatewayVersions, shape: traffic.Gateway, canary: canary, reports: true,
				})
			}
		}
		for _, s := range t.SMI {
			if s.RootServiceName == d.Service {
				name := cmp.Or(s.TrafficSplitName, d.Service)
				all = append(all, weightedRoute{
					ref:      sluice.Ref{Kind: "TrafficSplit", Namespace: d.Namespace, Name: name},
					versions: splitVersions, shape: traffic.Split, canary: cmp.Or(s.CanaryServiceName, canary),
					adopt: true, make: true,
				})
			}
		}
	}
	return all
}

func (d division) share(r weightedRoute) traffic.Share {
	return traffic.Share{Service: d.Service, Percent: d.Percent, Canary: r.canary}
}

func (d division) locateRoute(ctx context.Context, r weightedRoute) (client.ObjectRef, error) {
	return d.locate(ctx, r.ref.Kind, r.ref.Name, r.versions...)
}

// weigh writes the weights, and returns when the gateways that report have taken them up.
func (d division) weigh(ctx context.Context, r weightedRoute) error {
	ref, err := d.locateRoute(ctx, r)
	if err != nil {
		return err
	}
	if r.make && d.Percent == 0 {
		return d.releaseRoute(ctx, r) // without a split the Service gets everything
	}
	o, _, err := d.change(ctx, ref, func(now sluice.Object) (sluice.Object, error) {
		if err := d.mustSend(r, now); err != nil {
			return nil, err
		}
		return r.shape.Divide(now, d.share(r))
	})
	if r.make && sluice.ErrorCode(err) == sluice.NotFound {
		return d.createSplit(ctx, r, ref)
	}
	if err != nil {
		return err
	}
	return d.awaitRoute(ctx, ref, o, r.reports)
}

// check returns an error if the object cannot divide the Service's traffic.
func (d division) check(ctx context.Context, r weightedRoute) error {
	ref, err := d.locateRoute(ctx, r)
	if err != nil {
		return err
	}
	now, err := d.informers.Read(ctx, ref)
	if r.make && sluice.ErrorCode(err) == sluice.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	return d.mustSend(r, now)
}

// mustSend returns an error if the object sends nothing to the Service.
func (d division) mustSend(r weightedRoute, o sluice.Object) error {
	if len(r.shape.Routes(o, d.share(r))) > 0 {
		return nil
	}
	return sluice.Errorf(sluice.Invalid, "%s sends nothing to Service/%s, so it cannot divide its traffic", r.ref,
		d.Service).WithHint("name the Service among its backends, or correct trafficManagement")
}

func (d division) createSplit(ctx context.Context, r weightedRoute, ref client.ObjectRef) error {
	o, err := traffic.NewSplit(ref.APIVersion, d.Namespace, ref.Name, d.Service)
	if err != nil {
		return err
	}
	if o, err = r.shape.Divide(o, d.share(r)); err != nil {
		return err
	}
	_, err = d.create(ctx, ref, o)
	return err
}

// releaseRoute takes the Service's share out of the object, or deletes the object if it was made for the Service.
func (d division) releaseRoute(ctx context.Context, r weightedRoute) error {
	ref, err := d.locateRoute(ctx, r)
	if err != nil {
		return ignoreAbsent(err)
	}
	now, err := d.informers.Read(ctx, ref)
	if err != nil {
		return ignoreAbsent(err)
	}
	if traffic.MadeFor(now) == d.Service {
		return d.remove(ctx, ref, now)
	}
	o, wrote, err := d.change(ctx, ref, func(now sluice.Object) (sluice.Object, error) {
		return r.shape.Restore(now, d.Service)
	})
	if err != nil || !wrote {
		return ignoreAbsent(err)
	}
	short, cancel := context.WithTimeout(ctx, releaseTimeout)
	defer cancel()
	if err := d.awaitRoute(short, ref, o, r.reports); err != nil && short.Err() == nil {
		return ignoreAbsent(err)
	}
	return ctx.Err()
}

// awaitRoute returns when every gateway that reports on the route has taken it up as it is now.
func (d division) awaitRoute(ctx context.Context, ref client.ObjectRef, o sluice.Object, reports bool) error {
	done, why := traffic.TakenUp(o)
	if done || !reports {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, settleTimeout, errUnsettled)
	defer cancel()
	routes := watch.Events[sluice.Object](ctx, d.client, client.Request{
		Op: "watch " + ref.String(), Path: ref.Resource.Path(ref.Namespace),
		Query: url.Values{"fieldSelector": {"metadata.name=" + ref.Name}},
	})
	for {
		select {
		case e := <-routes:
			if e.Err != nil {
				return e.Err
			}
			if done, why = traffic.TakenUp(e.Object); done {
				return nil
			}
		case <-ctx.Done():
			return unsettled(ctx, ref.String()+": "+why)
		}
	}
}
