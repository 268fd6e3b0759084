package shift

import (
	"context"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
	"github.com/sluice-cd/sluice/internal/kubernetes/traffic"
)

// prepare makes sure that a route can send traffic to the canary's Service. The route must name the Service, and the
// canary's Service must exist, belong to this division, and have the ready canary pods as its endpoints. At 0 % it
// changes nothing, so that an error is found before anything is delivered.
func (d division) prepare(ctx context.Context, r weightedRoute) error {
	if err := d.check(ctx, r); err != nil {
		return err
	}
	service, err := d.read(ctx, "v1", "Service", d.Service)
	if err != nil {
		return err
	}
	ref, err := d.locate(ctx, "Service", r.canary, "v1")
	if err != nil {
		return err
	}
	now, err := d.informers.Read(ctx, ref)
	if err != nil && sluice.ErrorCode(err) != sluice.NotFound {
		return err
	}
	if now != nil {
		if err := d.mayUse(r, now, service); err != nil {
			return err
		}
	}
	if d.Percent == 0 {
		return nil
	}
	if err := d.refuse(ctx, canarySide, d.canarySelector(service)); err != nil {
		return err
	}
	if now, err = d.ensureCanary(ctx, ref, now, service); err != nil {
		return err
	}
	return d.awaitEndpoints(ctx, now)
}

// mayUse returns a Conflict if the Service with the name of the canary's is somebody else's. A Service that the user
// keeps for the canary, as meshes want it, selects the same pods.
func (d division) mayUse(r weightedRoute, now, service sluice.Object) error {
	if traffic.MadeFor(now) == d.Service {
		return nil
	}
	theirs := traffic.Selector(now)
	delete(theirs, sluice.TrackLabel)
	delete(theirs, sluice.ReleaseLabel)
	same := labels.SelectorFromSet(theirs).Matches(labels.Set(traffic.Selector(service)))
	if r.adopt && traffic.MadeFor(now) == "" && len(theirs) > 0 && same {
		return nil
	}
	return sluice.Errorf(sluice.Conflict, "Service/%s already exists and was not made to divide the traffic of Service/%s",
		r.canary, d.Service).
		WithHint("rename or delete it: the name is needed for the canary pods while a deployment runs")
}

// ensureCanary creates the canary's Service, or makes the existing one select the canary pods.
func (d division) ensureCanary(
	ctx context.Context, ref client.ObjectRef, now, service sluice.Object,
) (sluice.Object, error) {
	if now == nil {
		o, err := traffic.Canary(service, ref.Name, d.Division.Release)
		if err != nil {
			return nil, err
		}
		return d.create(ctx, ref, o)
	}
	o, _, err := d.change(ctx, ref, func(now sluice.Object) (sluice.Object, error) {
		if traffic.MadeFor(now) != "" {
			return traffic.Updated(now, service, d.Division.Release)
		}
		return traffic.Pin(now, traffic.CanaryLabels(d.Division.Release, traffic.Selector(now)))
	})
	return o, err
}

// releaseCanary deletes the canary's Service if it was made for this one, and puts it back otherwise.
func (d division) releaseCanary(ctx context.Context, name string) error {
	ref, err := d.locate(ctx, "Service", name, "v1")
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
	_, _, err = d.change(ctx, ref, func(now sluice.Object) (sluice.Object, error) { return traffic.Pin(now, nil) })
	return err
}
