package kubernetes

import (
	"context"
	"maps"
	"net/url"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/traffic"
)

// pin narrows the Service to one side, and returns once its endpoints are that side's ready pods.
func (a *Account) pin(ctx context.Context, d sluice.Division, s side) error {
	labels, err := a.labels(ctx, d, s)
	if err != nil {
		return err
	}
	at, err := a.locate(ctx, "Service", d.Namespace, d.Service, "v1")
	if err != nil {
		return err
	}
	o, _, err := a.change(ctx, at, func(now sluice.Object) (sluice.Object, error) {
		will, err := traffic.Pin(now, labels)
		if err != nil {
			return nil, err
		}
		return will, a.refuse(ctx, d, s, with(traffic.Selector(now), labels))
	})
	if err != nil {
		return err
	}
	return a.awaitEndpoints(ctx, o)
}

// unpin makes the Service select all that its owner wants.
func (a *Account) unpin(ctx context.Context, namespace, name string) error {
	at, err := a.locate(ctx, "Service", namespace, name, "v1")
	if err != nil {
		return err
	}
	o, wrote, err := a.change(ctx, at, func(now sluice.Object) (sluice.Object, error) { return traffic.Pin(now, nil) })
	if isAbsent(err) {
		return nil
	}
	if err != nil || !wrote {
		return err
	}
	return a.awaitEndpoints(ctx, o)
}

func with(selector, labels map[string]string) map[string]string {
	all := maps.Clone(selector)
	maps.Copy(all, labels)
	return all
}

// awaitEndpoints returns once the Service's endpoints are exactly the ready pods that it selects. A Service that
// publishes what is not ready is not waited for: its endpoints tell nothing.
func (a *Account) awaitEndpoints(ctx context.Context, service sluice.Object) error {
	if service.Field("spec", "publishNotReadyAddresses") == true {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, settling, errUnsettled)
	defer cancel()
	namespace, name := service.Text("metadata", "namespace"), service.Text("metadata", "name")
	ofService := url.Values{"labelSelector": {"kubernetes.io/service-name=" + name}}
	watched := notices[sluice.Object](ctx, a, request{op: "watch the endpoints of Service/" + name, path: namespaced("discovery.k8s.io/v1", namespace, "endpointslices"), query: ofService})
	for known := (map[string]sluice.Object{}); ; {
		select {
		case n := <-watched:
			if n.err != nil {
				return n.err
			}
			learn(known, n)
		case <-ctx.Done():
			return unsettled(ctx, "the endpoints of Service/"+name+" are not the ready pods that it selects")
		}
		settled, err := a.isSettled(ctx, service, known)
		if ctx.Err() == nil && (err != nil || settled) {
			return err
		}
	}
}

// learn brings what is known of some objects, by name, up to the notice.
func learn(known map[string]sluice.Object, n notice[sluice.Object]) {
	switch name := n.object.Text("metadata", "name"); {
	case n.none:
		clear(known)
	case n.deleted:
		delete(known, name)
	default:
		known[name] = n.object
	}
}

func (a *Account) isSettled(ctx context.Context, service sluice.Object, known map[string]sluice.Object) (bool, error) {
	selector, _ := service.Field("spec", "selector").(map[string]any)
	labels := map[string]string{}
	for k, v := range selector {
		labels[k], _ = v.(string)
	}
	pods, err := a.selected(ctx, "v1", "pods", service.Text("metadata", "namespace"), labels)
	if err != nil {
		return false, err
	}
	return traffic.Settled(slices.Collect(maps.Values(known)), traffic.Ready(pods, labels)), nil
}

var errUnsettled = sluice.Errorf(sluice.Unavailable, "it took too long")

// unsettled tells what was waited for in vain; who ended the wait hears that instead.
func unsettled(ctx context.Context, what string) error {
	if context.Cause(ctx) == error(errUnsettled) {
		return sluice.Errorf(sluice.Unavailable, "%s, after %s", what, settling).WithHint("see whether the cluster's controllers run")
	}
	return ctx.Err()
}
