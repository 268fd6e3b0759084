package traffic

import (
	"maps"

	"github.com/sluice-cd/sluice"
)

// HashLabel is the label that all pods of one version of a Deployment share.
const HashLabel = "pod-template-hash"

// CanaryLabels returns what narrows a selector to the canary pods of the release. The release "" stands for the pods of
// earlier versions of Sluice, which have the track label instead.
func CanaryLabels(release string, selector map[string]string) map[string]string {
	if release == "" {
		return map[string]string{sluice.TrackLabel: sluice.TrackCanary}
	}
	labels := map[string]string{sluice.ReleaseLabel: release}
	if _, ok := selector[sluice.TrackLabel]; ok {
		labels[sluice.TrackLabel] = none // which somebody wrote for such an earlier version
	}
	return labels
}

// none is the value of a label that a narrowing takes out of a selector.
const none = ""

// narrow adds the labels to the selector, and takes out those without a value.
func narrow(selector, labels map[string]string) {
	for k, v := range labels {
		if v == none {
			delete(selector, k)
			continue
		}
		selector[k] = v
	}
}

// Selector returns the selector of the Service without any narrowing.
func Selector(service sluice.Object) map[string]string {
	r, selector := recordOf(service), Labels(service.Field("spec", "selector"))
	for k, pinned := range r.Pin {
		if selector[k] != pinned {
			continue // somebody else has changed it
		}
		delete(selector, k)
		if old, ok := r.Was[k]; ok {
			selector[k] = old
		}
	}
	return selector
}

// Pin returns the Service narrowed to the pods that also have the labels, instead of an earlier narrowing. Without
// labels the Service is as its owner wants it. A Service without a selector is Unsupported.
func Pin(service sluice.Object, labels map[string]string) (sluice.Object, error) {
	o, r, selector := service.Clone(), recordOf(service), Selector(service)
	if len(selector) == 0 {
		if len(labels) == 0 {
			return o, nil
		}
		return nil, sluice.Errorf(sluice.Unsupported, "%s has no selector, so its traffic cannot be divided", service.Ref()).
			WithHint("give it the labels of the pods as its selector, or exclude it from what the deployment divides")
	}
	r.Pin, r.Was = maps.Clone(labels), map[string]string{}
	for k := range labels {
		if old, ok := selector[k]; ok {
			r.Was[k] = old
		}
	}
	narrow(selector, labels)
	o.Set(values(selector), "spec", "selector")
	return o, r.write(o)
}

// copied are the fields of a Service's spec that its canary's Service has too.
var copied = []string{
	"publishNotReadyAddresses", "sessionAffinity", "sessionAffinityConfig", "internalTrafficPolicy", "trafficDistribution",
	"ipFamilies", "ipFamilyPolicy",
}

// ownerLabels are labels by which other tools know what they may delete.
var ownerLabels = []string{
	"app.kubernetes.io/managed-by", "app.kubernetes.io/instance", "argocd.argoproj.io/instance",
	"kustomize.toolkit.fluxcd.io/name", "kustomize.toolkit.fluxcd.io/namespace",
	"helm.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/namespace",
}

// Canary returns a Service of the name that is like the given one, but for the canary pods of the release alone. It is
// deleted with the given one.
func Canary(service sluice.Object, name, release string) (sluice.Object, error) {
	o := sluice.Object{"apiVersion": "v1", "kind": "Service"}
	o.Set(name, "metadata", "name")
	o.Set(service.Text("metadata", "namespace"), "metadata", "namespace")
	labels := Labels(service.Field("metadata", "labels"))
	for _, k := range ownerLabels {
		delete(labels, k)
	}
	labels[sluice.TrackLabel] = sluice.TrackCanary
	o.Set(values(labels), "metadata", "labels")
	if uid := service.Text("metadata", "uid"); uid != "" {
		owner := map[string]any{"apiVersion": "v1", "kind": "Service", "name": service.Text("metadata", "name"), "uid": uid}
		o.Set([]any{owner}, "metadata", "ownerReferences")
	}
	selector := Selector(service)
	narrow(selector, CanaryLabels(release, selector))
	o.Set(values(selector), "spec", "selector")
	o.Set("ClusterIP", "spec", "type")
	if service.Text("spec", "clusterIP") == "None" {
		o.Set("None", "spec", "clusterIP")
	}
	o.Set(ports(service), "spec", "ports")
	for _, k := range copied {
		if v := service.Clone().Field("spec", k); v != nil {
			o.Set(v, "spec", k)
		}
	}
	return o, record{Made: service.Text("metadata", "name")}.write(o)
}

func ports(service sluice.Object) any {
	service = service.Clone()
	for _, p := range service.List("spec", "ports") {
		delete(p, "nodePort")
	}
	return service.Field("spec", "ports")
}

// Updated returns the canary's Service with the selector and ports that it would be made with now.
func Updated(canary, service sluice.Object, release string) (sluice.Object, error) {
	fresh, err := Canary(service, canary.Text("metadata", "name"), release)
	if err != nil {
		return nil, err
	}
	o := canary.Clone()
	o.Set(fresh.Field("spec", "selector"), "spec", "selector")
	o.Set(fresh.Field("spec", "ports"), "spec", "ports")
	return o, nil
}
