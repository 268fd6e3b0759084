package kubernetes

import (
	"context"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/traffic"
)

// prepare makes sure that a route can send traffic to the canary's Service: that the route is for it, and that the
// Service stands, belongs to this division, and has as its endpoints the ready canary pods. Without any traffic
// for the canary it only looks, so that what cannot be done is found before anything is delivered.
func (a *Account) prepare(ctx context.Context, d sluice.Division, r weightedRoute) error {
	if err := r.check(ctx, a, d); err != nil {
		return err
	}
	service, err := a.serviceAt(ctx, d.Namespace, d.Service)
	if err != nil {
		return err
	}
	at, err := a.locate(ctx, "Service", d.Namespace, r.canary, "v1")
	if err != nil {
		return err
	}
	now, err := a.read(ctx, at.resource, at.ref)
	if err != nil && sluice.ErrorCode(err) != sluice.NotFound {
		return err
	}
	if now != nil {
		if err := r.mayUse(now, service, d); err != nil {
			return err
		}
	}
	if d.Percent == 0 {
		return nil
	}
	if err := a.refuse(ctx, d, canarySide, with(traffic.Selector(service), map[string]string{sluice.TrackLabel: sluice.TrackCanary})); err != nil {
		return err
	}
	now, err = a.stand(ctx, at, now, service)
	if err != nil {
		return err
	}
	return a.awaitEndpoints(ctx, now)
}

func (a *Account) serviceAt(ctx context.Context, namespace, name string) (sluice.Object, error) {
	at, err := a.locate(ctx, "Service", namespace, name, "v1")
	if err != nil {
		return nil, err
	}
	return a.read(ctx, at.resource, at.ref)
}

// mayUse returns a Conflict if the Service of the canary's name is somebody else's. One that the user keeps for the
// canary, as a service mesh wants it, selects the same pods.
func (r weightedRoute) mayUse(now, service sluice.Object, d sluice.Division) error {
	if traffic.MadeFor(now) == d.Service {
		return nil
	}
	own, theirs := traffic.Selector(service), traffic.Selector(now)
	delete(theirs, sluice.TrackLabel)
	if r.adopt && traffic.MadeFor(now) == "" && len(theirs) > 0 && within(theirs, own) {
		return nil
	}
	return sluice.Errorf(sluice.Conflict, "Service/%s stands already and was not made for dividing the traffic of Service/%s", r.canary, d.Service).
		WithHint("rename or delete it: the name is needed for the canary pods while a deployment runs")
}

// within reports whether all labels are among those of another selector.
func within(labels, selector map[string]string) bool {
	for k, v := range labels {
		if selector[k] != v {
			return false
		}
	}
	return true
}

// stand creates the canary's Service, or makes the one that there is select the canary pods.
func (a *Account) stand(ctx context.Context, at place, now, service sluice.Object) (sluice.Object, error) {
	if now == nil {
		o, err := traffic.Canary(service, at.ref.Name)
		if err != nil {
			return nil, err
		}
		return a.create(ctx, at, o)
	}
	o, _, err := a.change(ctx, at, func(now sluice.Object) (sluice.Object, error) {
		if traffic.MadeFor(now) != "" {
			return traffic.Updated(now, service)
		}
		return traffic.Pin(now, map[string]string{sluice.TrackLabel: sluice.TrackCanary})
	})
	return o, err
}

// dropCanary deletes the canary's Service if it was made for this one, and else lets it go.
func (a *Account) dropCanary(ctx context.Context, d sluice.Division, name string) error {
	now, err := a.serviceAt(ctx, d.Namespace, name)
	if isAbsent(err) {
		return nil
	}
	if err != nil {
		return err
	}
	at, err := a.locate(ctx, "Service", d.Namespace, name, "v1")
	if err != nil {
		return err
	}
	if traffic.MadeFor(now) == d.Service {
		return a.remove(ctx, at, now)
	}
	_, _, err = a.change(ctx, at, func(now sluice.Object) (sluice.Object, error) { return traffic.Pin(now, nil) })
	return err
}
