package kubernetes

import (
	"cmp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/sluice-cd/sluice"
)

// Needs returns the rights that the plan's steps need in the account of the target: in the target's own
// namespace, in those that its objects name, and, where other targets copy its data or call its Services,
// for that.
func Needs(p *sluice.Plan, target string) []sluice.Right {
	return needed(p, target, func(sluice.Ref) (resource, bool) { return resource{}, false })
}

// needed asks served how the cluster serves a kind, and guesses where that is not known.
func needed(p *sluice.Plan, target string, served func(sluice.Ref) (resource, bool)) []sluice.Right {
	t, ok := p.Target(target)
	if !ok {
		return nil
	}
	n := needs{target: t, served: served, seen: map[sluice.Right]bool{}}
	n.target.Namespace = cmp.Or(t.Namespace, metav1.NamespaceDefault)
	for _, s := range p.Steps {
		if s.Target == target {
			n.step(s)
			continue
		}
		other, _ := p.Target(s.Target)
		n.elsewhere(s, other)
	}
	return n.list
}

// Base returns the rights without which nothing can be deployed into the namespace, whatever it is.
func Base(namespace string) []sluice.Right {
	n := needs{seen: map[sluice.Right]bool{}}
	n.features(namespace, FeatureObserve, FeatureLogs, FeatureApply, FeatureRollout)
	return n.list
}

// needs collects rights, each once, in the order of the steps.
type needs struct {
	target sluice.PlannedTarget
	served func(sluice.Ref) (resource, bool)
	list   []sluice.Right
	seen   map[sluice.Right]bool
}

func (n *needs) add(rights ...sluice.Right) {
	for _, r := range rights {
		key := r
		key.Feature = ""
		if !n.seen[key] {
			n.seen[key] = true
			n.list = append(n.list, r)
		}
	}
}

func (n *needs) features(namespace string, names ...string) {
	for _, name := range names {
		n.add(feature(name).rights(namespace)...)
	}
}

func (n *needs) step(s sluice.PlannedStep) {
	namespace := n.target.Namespace
	switch {
	case s.Apply != nil:
		for _, o := range s.Apply.Objects {
			n.object(o, keep)
			if s.Apply.Canary && o.Text("kind") == "Deployment" {
				n.traffic(cmp.Or(o.Text("metadata", "namespace"), namespace))
			}
		}
	case s.Prune != nil:
		for _, ref := range s.Prune.Objects {
			ref.Namespace = cmp.Or(ref.Namespace, namespace)
			n.kind(ref, keep) // undo brings it back
		}
	case s.Promote != nil, s.SetWeight != nil:
		// what the applied Deployments need
	case s.RunJob != nil:
		n.object(s.RunJob.Job, keep)
	case s.WaitFor != nil:
		n.waitFor(*s.WaitFor)
	case s.ExposeServices != nil:
		n.features(namespace, FeatureServiceProxy, FeaturePortForward)
	case s.RunWebhook != nil:
		n.webhook(s.RunWebhook.Webhook, namespace)
	default:
		n.data(s)
	}
}

// object adds what is done to the object, and what its kind brings with it.
func (n *needs) object(o sluice.Object, verbs []string) {
	if o == nil {
		return
	}
	ref := o.Ref()
	if ref.Namespace == "" {
		ref.Namespace = n.target.Namespace
	}
	n.kind(ref, verbs)
	switch ref.Kind {
	case "Deployment", "StatefulSet", "DaemonSet":
		n.features(ref.Namespace, FeatureObserve, FeatureLogs, FeatureRollout)
		if o.Text("metadata", "annotations", sluice.PrimaryProbe) != "" {
			n.features(ref.Namespace, FeatureExec)
		}
	case "Job":
		n.features(ref.Namespace, FeatureObserve, FeatureLogs)
	}
}

// kind adds the verbs on the resource of a kind.
func (n *needs) kind(ref sluice.Ref, verbs []string) {
	served, ok := n.served(ref)
	if !ok {
		served, ok = guess(ref)
	}
	if !ok {
		return // applying it says what is wrong
	}
	for _, verb := range verbs {
		r := sluice.Right{Verb: verb, Group: served.Group, Resource: served.Resource, Namespace: ref.Namespace}
		if !served.namespaced {
			r.Namespace = ""
		}
		r.Feature = granting(r)
		n.add(r)
	}
}

// guess names the resource of a kind as is usual.
func guess(ref sluice.Ref) (resource, bool) {
	gv, err := schema.ParseGroupVersion(ref.APIVersion)
	if err != nil || gv.Version == "" || ref.Kind == "" {
		return resource{}, false
	}
	plural, _ := meta.UnsafeGuessKindToResource(gv.WithKind(ref.Kind))
	return resource{GroupVersionResource: plural, kind: ref.Kind, namespaced: !slices.Contains(clusterKinds, ref.Kind)}, true
}

// clusterKinds are the built-in kinds that belong to no namespace.
var clusterKinds = []string{
	"Namespace", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding", "PersistentVolume", "StorageClass", "PriorityClass",
	"IngressClass", "GatewayClass", "RuntimeClass", "CSIDriver", "APIService", "Node", "VolumeSnapshotClass", "ClusterIssuer",
	"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
}

// granting returns the first feature that applies such objects, "" if none does.
func granting(r sluice.Right) string {
	for _, name := range []string{FeatureApply, FeatureNamespaces, FeatureCRDs, FeatureObserve} {
		for _, g := range feature(name).Grants {
			if g.Group == r.Group && slices.Contains(g.Resources, r.Resource) && slices.Contains(g.Verbs, r.Verb) {
				return name
			}
		}
	}
	return ""
}

// traffic adds what divides that of the namespace's Deployments.
func (n *needs) traffic(namespace string) {
	n.features(namespace, FeatureTraffic)
	for _, t := range n.target.Traffic {
		if len(t.Gateway) > 0 {
			n.features(namespace, FeatureTrafficGateway)
		}
		if len(t.Istio) > 0 {
			n.features(namespace, FeatureTrafficIstio)
		}
		if len(t.SMI) > 0 {
			n.features(namespace, FeatureTrafficSMI)
		}
	}
}

// waitFor looks only.
func (n *needs) waitFor(w sluice.WaitFor) {
	ref, err := sluice.ParseRef(w.Object, w.Namespace)
	if err != nil {
		return
	}
	if ref.Namespace == "" {
		ref.Namespace = n.target.Namespace
	}
	if ref.APIVersion == "" {
		return // what it is shows only at the cluster
	}
	n.kind(ref, look)
}

// elsewhere adds what a step of another target does in this target's account: it calls a Service, or takes data.
func (n *needs) elsewhere(s sluice.PlannedStep, other sluice.PlannedTarget) {
	if other.Account == n.target.Account {
		return // it asks for itself
	}
	if s.RunWebhook != nil && s.RunWebhook.Webhook != nil && s.RunWebhook.Webhook.AgentIdentifier == n.target.Account {
		n.webhook(s.RunWebhook.Webhook, cmp.Or(other.Namespace, metav1.NamespaceDefault))
	}
	if m := s.MigrateData; m != nil && m.Source != nil && m.Source.Account == n.target.Account {
		n.dataset(m.Spec, cmp.Or(m.Source.Namespace, metav1.NamespaceDefault))
	}
}

// webhook adds what calls the Service of this account that the webhook names.
func (n *needs) webhook(w *sluice.Webhook, own string) {
	if w == nil || w.NetworkMode != "remoteNetworkAgent" || cmp.Or(w.AgentIdentifier, n.target.Account) != n.target.Account {
		return
	}
	if namespace, ok := webhookNamespace(w.URITemplate, own); ok {
		n.features(namespace, FeatureServiceProxy, FeaturePortForward)
	}
}

// webhookNamespace returns the namespace in a URL such as http://service.namespace.svc:8080/path; false where the
// host is none of the cluster.
func webhookNamespace(uri, own string) (string, bool) {
	_, rest, _ := strings.Cut(uri, "://")
	host, _, _ := strings.Cut(rest, "/")
	if strings.Contains(host, "{{") {
		return own, true // a template is filled in when the webhook is called
	}
	host, _, _ = strings.Cut(host, ":")
	_, domain, _ := strings.Cut(host, ".")
	namespace, suffix, _ := strings.Cut(domain, ".")
	return cmp.Or(namespace, own), slices.Contains([]string{"", "svc", "svc.cluster.local"}, suffix)
}

// data adds what the steps on datasets need.
func (n *needs) data(s sluice.PlannedStep) {
	var spec sluice.Dataset
	switch {
	case s.CheckpointData != nil:
		spec = s.CheckpointData.Spec
	case s.MigrateData != nil:
		spec = s.MigrateData.Spec
	case s.RestoreData != nil:
		spec = s.RestoreData.Spec
	case s.VerifyData != nil:
		spec = s.VerifyData.Spec
	default:
		return
	}
	n.dataset(spec, n.target.Namespace)
	if m := s.MigrateData; m != nil && m.Source != nil && m.Source.Account == n.target.Account {
		n.dataset(spec, cmp.Or(m.Source.Namespace, metav1.NamespaceDefault))
	}
}

func (n *needs) dataset(spec sluice.Dataset, namespace string) {
	for _, claim := range spec.Claims {
		n.kind(sluice.Ref{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: namespace, Name: claim}, keep)
	}
	if ref, err := sluice.ParseRef(spec.Workload, namespace); err == nil {
		n.kind(ref, keep)
		n.features(namespace, FeatureRollout)
	}
	if spec.URI != "" {
		n.features(namespace, FeaturePortForward)
	}
	if len(spec.Quiesce.Before)+len(spec.Quiesce.After) > 0 {
		n.features(namespace, FeatureExec)
	}
}
