package shift

import (
	"context"
	"slices"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/pod"
	"github.com/sluice-cd/sluice/internal/kubernetes/traffic"
)

// pin narrows the Service to its side, and returns when its endpoints are the ready pods of that side. Stable pods that
// are to serve are marked before, and the others lose their mark after the Service has followed.
func (d division) pin(ctx context.Context) error {
	s := d.serviceSide()
	var marked []string
	var err error
	if s == servingSide {
		if marked, err = d.mark(ctx); err != nil {
			return err
		}
		if len(marked) == 0 {
			s = bothSides
		}
	}
	o, err := d.pinTo(ctx, s)
	if err != nil {
		return err
	}
	if err := d.awaitEndpoints(ctx, o); err != nil {
		return err
	}
	changed, err := d.unmark(ctx, marked)
	if err != nil || !changed || s != servingSide {
		return err
	}
	return d.awaitEndpoints(ctx, o)
}

func (d division) pinTo(ctx context.Context, s side) (sluice.Object, error) {
	side, err := d.labelsOf(ctx, s)
	if err != nil {
		return nil, err
	}
	ref, err := d.locate(ctx, "Service", d.Service, "v1")
	if err != nil {
		return nil, err
	}
	o, _, err := d.change(ctx, ref, func(now sluice.Object) (sluice.Object, error) {
		will, err := traffic.Pin(now, side)
		if err != nil {
			return nil, err
		}
		return will, d.refuse(ctx, s, labels.Merge(traffic.Selector(now), side))
	})
	return o, err
}

// unpin makes the Service select all the pods that its owner wants.
func (d division) unpin(ctx context.Context) error {
	ref, err := d.locate(ctx, "Service", d.Service, "v1")
	if err != nil {
		return err
	}
	o, wrote, err := d.change(ctx, ref, func(now sluice.Object) (sluice.Object, error) { return traffic.Pin(now, nil) })
	if err != nil || !wrote {
		return ignoreAbsent(err)
	}
	return d.awaitEndpoints(ctx, o)
}

// awaitEndpoints returns when the Service's endpoints are exactly the ready pods that it selects. It does not wait if
// the Service also publishes pods that are not ready, since its endpoints then tell nothing.
func (d division) awaitEndpoints(ctx context.Context, service sluice.Object) error {
	if service.Field("spec", "publishNotReadyAddresses") == true {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, settleTimeout, errUnsettled)
	defer cancel()
	name, selector := service.Text("metadata", "name"), traffic.Labels(service.Field("spec", "selector"))
	err := d.informers.AwaitEndpoints(ctx, d.Namespace, func(all []sluice.Object, pods []*pod.Pod) bool {
		mine := slices.DeleteFunc(slices.Clone(all), func(o sluice.Object) bool {
			return o.Text("metadata", "labels", discoveryv1.LabelServiceName) != name
		})
		return traffic.Settled(mine, traffic.Ready(selected(pods, selector), selector))
	})
	if ctx.Err() != nil {
		return unsettled(ctx, "the endpoints of Service/"+name+" are not the ready pods that it selects")
	}
	return err
}

var errUnsettled = sluice.Errorf(sluice.Unavailable, "it took too long")

// unsettled says what did not happen in time. If the caller ended the wait, the error is the caller's.
func unsettled(ctx context.Context, what string) error {
	if context.Cause(ctx) == error(errUnsettled) {
		return sluice.Errorf(sluice.Unavailable, "%s, after %s", what, settleTimeout).
			WithHint("see whether the cluster's controllers run")
	}
	return ctx.Err()
}
