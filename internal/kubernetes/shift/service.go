package shift

import (
	"context"
	"maps"
	"net/url"
	"slices"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
	"github.com/sluice-cd/sluice/internal/kubernetes/traffic"
	"github.com/sluice-cd/sluice/internal/kubernetes/watch"
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
	name := service.Text("metadata", "name")
	slicesOf := watch.Events[sluice.Object](ctx, d.client, client.Request{
		Op:    "watch the endpoints of Service/" + name,
		Path:  client.Path("discovery.k8s.io/v1", service.Text("metadata", "namespace"), "endpointslices"),
		Query: url.Values{"labelSelector": {"kubernetes.io/service-name=" + name}},
	})
	for known := (map[string]sluice.Object{}); ; {
		select {
		case e := <-slicesOf:
			if e.Err != nil {
				return e.Err
			}
			update(known, e)
		case <-ctx.Done():
			return unsettled(ctx, "the endpoints of Service/"+name+" are not the ready pods that it selects")
		}
		settled, err := d.isSettled(ctx, service, known)
		if ctx.Err() == nil && (err != nil || settled) {
			return err
		}
	}
}

// update applies the event to the known objects, which have their names as keys.
func update(known map[string]sluice.Object, e watch.Event[sluice.Object]) {
	switch name := e.Object.Text("metadata", "name"); {
	case e.None:
		clear(known)
	case e.Deleted:
		delete(known, name)
	default:
		known[name] = e.Object
	}
}

func (d division) isSettled(ctx context.Context, service sluice.Object, known map[string]sluice.Object) (bool, error) {
	selector := traffic.Labels(service.Field("spec", "selector"))
	pods, err := d.list(ctx, "v1", "pods", selector)
	if err != nil {
		return false, err
	}
	return traffic.Settled(slices.Collect(maps.Values(known)), traffic.Ready(pods, selector)), nil
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
