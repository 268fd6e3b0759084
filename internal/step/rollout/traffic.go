package rollout

import (
	"context"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/delivery"
	"github.com/sluice-cd/sluice/internal/step/object"
)

// podTemplateHash is the label by which a replica set tells its pods from others.
const podTemplateHash = "pod-template-hash"

// divisions returns how the traffic of the Deployments is divided: one entry for each Service that sends traffic
// to any of them, whether the plan brings it or it is there already.
func (t target) divisions(ctx context.Context, objects, deployments []sluice.Object) ([]sluice.Division, error) {
	if len(deployments) == 0 {
		return nil, nil
	}
	known, err := t.services(ctx, objects, deployments)
	if err != nil {
		return nil, err
	}
	var list []sluice.Division
	for _, s := range known {
		i := slices.IndexFunc(deployments, func(d sluice.Object) bool { return sendsTo(s, d) })
		if i < 0 || isForCanary(s, t.sc.Target.Traffic) {
			continue
		}
		stable := deployments[i].Ref()
		list = append(list, sluice.Division{
			Namespace: stable.Namespace, Service: s.Ref().Name, Declared: contains(objects, s.Ref()),
			Stable: stable.Name, Canary: delivery.CanaryOf(stable).Name, Traffic: t.sc.Target.Traffic,
			Release: delivery.Release(t.sc.Deployment),
		})
	}
	return list, nil
}

// toCanaries returns the divisions with the label that the pods of these canaries have. Those of earlier deployments,
// and those that an earlier version of Sluice brought, have another one than the canaries of this deployment.
func toCanaries(list []sluice.Division, canaries []delivery.Canary) []sluice.Division {
	for i := range list {
		for _, c := range canaries {
			if c.Of.Ref().Name == list[i].Stable {
				list[i].Release = c.Object.Text("spec", "selector", "matchLabels", sluice.ReleaseLabel)
			}
		}
	}
	return list
}

// isServed reports whether a Service selects the Deployment's pods, so that there is traffic to divide.
func (t target) isServed(ctx context.Context, objects []sluice.Object, deployment sluice.Object) (bool, error) {
	known, err := t.services(ctx, objects, []sluice.Object{deployment})
	return slices.ContainsFunc(known, func(s sluice.Object) bool {
		return sendsTo(s, deployment) && !isForCanary(s, t.sc.Target.Traffic)
	}), err
}

// weighs reports whether weights divide the traffic. Otherwise the numbers of pods do.
func (t target) weighs() bool { return t.account.Weighs(t.sc.Target.Traffic) }

// services returns those of the plan, and those that are in the Deployments' namespaces.
func (t target) services(ctx context.Context, objects, deployments []sluice.Object) ([]sluice.Object, error) {
	known := object.OfKind(objects, "Service")
	var listed []string
	for _, d := range deployments {
		namespace := d.Text("metadata", "namespace")
		if slices.Contains(listed, namespace) {
			continue
		}
		listed = append(listed, namespace)
		live, err := t.account.List(ctx, "v1", "Service", namespace)
		if err != nil {
			return nil, object.WithOp("list the Services for", d.Ref(), err)
		}
		for _, s := range live {
			if !contains(known, s.Ref()) {
				known = append(known, s)
			}
		}
	}
	return known, nil
}

// isForCanary reports whether the Service is the canary's Service of another one: routes get it as their second
// backend. If the account makes it, the account labels it; for a service mesh the user makes it and names it.
func isForCanary(service sluice.Object, traffic []sluice.Traffic) bool {
	if service.Text("metadata", "labels", sluice.TrackLabel) == sluice.TrackCanary {
		return true
	}
	return slices.ContainsFunc(traffic, func(t sluice.Traffic) bool {
		return slices.ContainsFunc(t.SMI, func(s sluice.SMI) bool { return s.CanaryServiceName == service.Ref().Name })
	})
}

// sendsTo reports whether the Service selects the workload's pods. It ignores the labels by which a Service is
// narrowed to one track.
func sendsTo(service, workload sluice.Object) bool {
	selector, _ := service.Field("spec", "selector").(map[string]any)
	if !sameNamespace(service, workload) {
		return false
	}
	matched := false
	for key, value := range selector {
		if isNarrowing(key) {
			continue
		}
		if workload.Field("spec", "template", "metadata", "labels", key) != value {
			return false
		}
		matched = true
	}
	return matched
}

// isNarrowing reports whether a Service is narrowed to one version by the label.
func isNarrowing(label string) bool {
	return label == podTemplateHash || label == sluice.TrackLabel || label == sluice.ReleaseLabel
}

// ofServices returns the divisions of the named Services.
func ofServices(list []sluice.Division, services []string) []sluice.Division {
	return slices.DeleteFunc(slices.Clone(list), func(d sluice.Division) bool {
		return !slices.Contains(services, d.Service)
	})
}

// shift divides the traffic of every Service.
func (t target) shift(ctx context.Context, list []sluice.Division, percent int) error {
	return each(ctx, "shift", list, func(d sluice.Division) error {
		d.Percent = percent
		return t.account.Shift(ctx, d)
	})
}

// release lets every Service send its traffic to all of its pods again.
func (t target) release(ctx context.Context, list []sluice.Division) error {
	return each(ctx, "release", list, func(d sluice.Division) error { return t.account.Release(ctx, d) })
}

func each(ctx context.Context, verb string, list []sluice.Division, do func(sluice.Division) error) error {
	for _, d := range list {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := do(d); err != nil {
			return object.WithOp(verb+" the traffic of", sluice.Ref{Kind: "Service", Name: d.Service}, err)
		}
	}
	return nil
}

// unrouted returns the Services that no weighted route of the target names, so that their traffic stays with the
// stable pods at weights between 0 and 100. If a mesh divides the traffic, and in a rehearsal, that is not known.
func unrouted(list []sluice.Division, sc sluice.StepContext) []string {
	if sc.Plan != nil && sc.Plan.Rehearsal != nil {
		return nil
	}
	var names []string
	for _, d := range list {
		if routes, routed := isRouted(d); routes && !routed {
			names = append(names, d.Service)
		}
	}
	return names
}

func isRouted(d sluice.Division) (routes, routed bool) {
	for _, t := range d.Traffic {
		if len(t.Istio) > 0 {
			return false, false
		}
		for _, g := range t.Gateway {
			routes, routed = true, routed || g.Service == d.Service
		}
		for _, s := range t.SMI {
			routes, routed = true, routed || s.RootServiceName == d.Service
		}
	}
	return routes, routed
}
