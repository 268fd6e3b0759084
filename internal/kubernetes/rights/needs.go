package rights

import (
	"cmp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
)

// A lookup returns how the cluster serves a kind, and false if that is not known.
type lookup func(sluice.Ref) (client.Resource, bool)

// needed returns the rights that the plan's steps need in the account of the target: in the target's own namespace, in
// those of its objects, and for the steps of other targets that copy its data or call its Services. It guesses the
// resource of a kind that the lookup does not know.
func needed(p *sluice.Plan, target string, served lookup) []sluice.Right {
	t, ok := p.Target(target)
	if !ok {
		return nil
	}
	n := needs{target: t, served: served, seen: map[sluice.Right]int{}}
	n.target.Namespace = cmp.Or(t.Namespace, metav1.NamespaceDefault)
	n.marks = slices.ContainsFunc(p.Steps, func(s sluice.PlannedStep) bool { return s.Target == target && mayMark(s) })
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

// Base returns the rights that every deployment into the namespace needs.
func Base(namespace string) []sluice.Right {
	n := needs{seen: map[sluice.Right]int{}}
	n.features(namespace, FeatureObserve, FeatureLogs, FeatureApply, FeatureRollout)
	return n.list
}

// needs collects the rights in the order of the steps, each once.
type needs struct {
	target sluice.PlannedTarget
	served lookup
	marks  bool // a step may mark stable pods, if no route divides the traffic
	list   []sluice.Right
	seen   map[sluice.Right]int // where each is in the list
}

// add adds the rights. One that is necessary for anything is not dispensable.
func (n *needs) add(rights ...sluice.Right) {
	for _, r := range rights {
		key := r
		key.Feature, key.Dispensable = "", false
		i, ok := n.seen[key]
		if !ok {
			n.seen[key] = len(n.list)
			n.list = append(n.list, r)
			continue
		}
		n.list[i].Dispensable = n.list[i].Dispensable && r.Dispensable
	}
}

func (n *needs) features(namespace string, names ...string) {
	for _, name := range names {
		n.add(feature(name).rights(namespace)...)
	}
}

// part adds the rights of a feature on some of its resources.
func (n *needs) part(namespace, name string, resources ...string) {
	for _, r := range feature(name).rights(namespace) {
		if slices.Contains(resources, r.Resource) {
			n.add(r)
		}
	}
}

func (n *needs) step(s sluice.PlannedStep) {
	namespace := n.target.Namespace
	switch {
	case s.Apply != nil:
		for _, o := range s.Apply.Objects {
			n.object(o, keep)
			if s.Apply.Canary {
				n.gradual(o, cmp.Or(o.Text("metadata", "namespace"), namespace))
			}
		}
	case s.Prune != nil:
		for _, ref := range s.Prune.Objects {
			ref.Namespace = cmp.Or(ref.Namespace, namespace)
			n.kind(ref, keep) // undo creates it again
		}
	case s.Promote != nil, s.SetWeight != nil:
		// the applied Deployments have asked for it
	case s.RunJob != nil:
		n.object(s.RunJob.Job, keep)
	case s.WaitFor != nil:
		n.waitFor(*s.WaitFor)
	case s.ExposeServices != nil:
		n.features(namespace, FeatureServiceProxy, FeaturePortForward)
	case s.RunWebhook != nil:
		n.webhook(s.RunWebhook.Webhook, namespace)
	default:
		if spec, ok := s.Dataset(); ok {
			n.dataset(spec, namespace, s.MigrateData != nil || s.RestoreData != nil)
			n.arrival(s.MigrateData, namespace)
			n.snapshots(spec, s.MigrateData)
			n.precautions(s.MigrateData, namespace)
		}
		n.source(s.MigrateData)
	}
}

// object adds the verbs on the object and the features that its kind needs.
func (n *needs) object(o sluice.Object, verbs []string) {
	if o == nil {
		return
	}
	ref := o.Ref()
	ref.Namespace = cmp.Or(ref.Namespace, n.target.Namespace)
	n.kind(ref, verbs)
	switch ref.Kind {
	case "Deployment":
		n.part(ref.Namespace, FeatureObserve, "pods", "replicasets")
	case "StatefulSet":
		n.part(ref.Namespace, FeatureObserve, "pods", "replicasets", "events", "poddisruptionbudgets")
		n.features(ref.Namespace, FeatureRollout) // broken pods are replaced, otherwise the set waits for them
	case "DaemonSet", "Job":
		n.part(ref.Namespace, FeatureObserve, "pods", "replicasets", "events")
	default:
		return
	}
	n.features(ref.Namespace, FeatureLogs)
}

// gradual adds the features that a workload needs to change version gradually.
func (n *needs) gradual(o sluice.Object, namespace string) {
	switch o.Text("kind") {
	case "Deployment":
		n.part(namespace, FeatureObserve, "services", "endpointslices", "horizontalpodautoscalers")
		n.traffic(namespace)
	case "StatefulSet", "DaemonSet":
		n.set(o, namespace)
	}
}

// set adds the features to replace the pods of a set one by one, unless its controller does that.
func (n *needs) set(o sluice.Object, namespace string) {
	annotations := []string{
		o.Text("metadata", "annotations", sluice.PrimaryLabels), o.Text("metadata", "annotations", sluice.PrimaryProbe),
	}
	byController := o.Text("kind") == "StatefulSet" && o.Text("spec", "updateStrategy", "type") != "OnDelete"
	if byController && cmp.Or(annotations...) == "" {
		return
	}
	n.part(namespace, FeatureObserve, "controllerrevisions", "poddisruptionbudgets")
	n.features(namespace, FeatureRollout)
	n.add(sluice.Right{Verb: "create", Resource: "pods/eviction", Namespace: namespace, Feature: FeatureRollout})
	if annotations[1] != "" {
		n.features(namespace, FeatureExec)
	}
}

// kind adds the verbs on the resource of a kind.
func (n *needs) kind(ref sluice.Ref, verbs []string) {
	served, ok := n.served(ref)
	if !ok {
		served, ok = guess(ref)
	}
	if !ok {
		return // Apply says what is wrong
	}
	for _, verb := range verbs {
		r := sluice.Right{Verb: verb, Group: served.Group, Resource: served.Resource, Namespace: ref.Namespace}
		if !served.Namespaced {
			r.Namespace = ""
		}
		r.Feature = granting(r)
		n.add(r)
	}
}

// guess names the resource of a kind in the usual way.
func guess(ref sluice.Ref) (client.Resource, bool) {
	gv, err := schema.ParseGroupVersion(ref.APIVersion)
	if err != nil || gv.Version == "" || ref.Kind == "" {
		return client.Resource{}, false
	}
	plural, _ := meta.UnsafeGuessKindToResource(gv.WithKind(ref.Kind))
	return client.Resource{
		GroupVersionResource: plural, Kind: ref.Kind, Namespaced: !slices.Contains(clusterKinds, ref.Kind),
	}, true
}

// clusterKinds are the usual kinds without a namespace.
var clusterKinds = []string{
	"Namespace", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding", "PersistentVolume", "StorageClass",
	"PriorityClass", "IngressClass", "GatewayClass", "RuntimeClass", "CSIDriver", "APIService", "Node",
	"VolumeSnapshotClass", "ClusterIssuer", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration",
	"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
}

// granting returns the first feature that grants the right on an object, "" if none does.
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

// mayMark reports whether the step sends most of the traffic to canary pods. If the numbers of pods divide the traffic,
// the stable pods that still serve are then marked.
func mayMark(s sluice.PlannedStep) bool {
	return s.SetWeight != nil && s.SetWeight.Weight > 50 && s.SetWeight.Weight < 100
}

// traffic adds the features that divide the traffic of the namespace's Deployments.
func (n *needs) traffic(namespace string) {
	n.features(namespace, FeatureTraffic)
	weighs := slices.ContainsFunc(n.target.Traffic, func(t sluice.Traffic) bool {
		return len(t.Gateway)+len(t.Istio)+len(t.SMI) > 0
	})
	if n.marks && !weighs {
		n.features(namespace, FeatureTrafficPods)
	}
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

// waitFor adds the rights to watch the object.
func (n *needs) waitFor(w sluice.WaitFor) {
	ref, err := sluice.ParseRef(w.Object, w.Namespace)
	if err != nil {
		return
	}
	ref.Namespace = cmp.Or(ref.Namespace, n.target.Namespace)
	if ref.APIVersion == "" {
		return // only the cluster knows its version
	}
	n.kind(ref, look)
}

// elsewhere adds the rights for a step of another target that calls a Service or copies data in this account.
func (n *needs) elsewhere(s sluice.PlannedStep, other sluice.PlannedTarget) {
	if other.Account == n.target.Account {
		return // it asks itself
	}
	if s.RunWebhook != nil && s.RunWebhook.Webhook != nil && s.RunWebhook.Webhook.AgentIdentifier == n.target.Account {
		n.webhook(s.RunWebhook.Webhook, cmp.Or(other.Namespace, metav1.NamespaceDefault))
	}
	n.source(s.MigrateData)
}

// source adds the rights to copy data out of this target's account.
func (n *needs) source(m *sluice.MigrateData) {
	if m == nil || m.Source == nil || m.Source.Account != n.target.Account {
		return
	}
	namespace := cmp.Or(m.Source.Namespace, metav1.NamespaceDefault)
	if m.Spec.Portworx == nil {
		n.dataset(m.Spec, namespace, false)
		return
	}
	n.departure(m.Spec, namespace)
}

// webhook adds the rights to call a Service in this account.
func (n *needs) webhook(w *sluice.Webhook, own string) {
	if w == nil || w.NetworkMode != "remoteNetworkAgent" ||
		cmp.Or(w.AgentIdentifier, n.target.Account) != n.target.Account {
		return
	}
	if namespace, ok := webhookNamespace(w.URITemplate, own); ok {
		n.features(namespace, FeatureServiceProxy, FeaturePortForward)
	}
}

// webhookNamespace returns the namespace in a URL such as http://service.namespace.svc:8080/path, and false if the host
// is outside of the cluster.
func webhookNamespace(uri, own string) (string, bool) {
	_, rest, _ := strings.Cut(uri, "://")
	host, _, _ := strings.Cut(rest, "/")
	if strings.Contains(host, "{{") {
		return own, true // the template is filled in later
	}
	host, _, _ = strings.Cut(host, ":")
	_, domain, _ := strings.Cut(host, ".")
	namespace, suffix, _ := strings.Cut(domain, ".")
	return cmp.Or(namespace, own), slices.Contains([]string{"", "svc", "svc.cluster.local"}, suffix)
}

// dataset adds the rights for steps on the dataset, which replace its data or only read it. What reads a copy does so
// in a namespace of its own.
func (n *needs) dataset(spec sluice.Dataset, namespace string, replaced bool) {
	claim, workload := look, look
	switch {
	case replaced:
		claim, workload = keep, keep
	case spec.Quiesce.Mode == "stop":
		workload = change
	}
	for _, name := range spec.Claims {
		n.kind(sluice.Ref{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: namespace, Name: name}, claim)
	}
	if ref, err := sluice.ParseRef(spec.Workload, namespace); err == nil {
		n.kind(ref, workload)
		n.part(namespace, FeatureObserve, "pods", "replicasets")
	}
	if replaced {
		n.surroundings(namespace, keep)
	} else {
		n.surroundings(namespace, look) // a checkpoint holds them
	}
	n.features(namespace, FeatureBeside, FeaturePortForward)
	if len(spec.Quiesce.Before)+len(spec.Quiesce.After) > 0 {
		n.features(namespace, FeatureExec)
	}
	if spec.Portworx == nil {
		n.features(namespace, FeatureData, FeatureDataVolumes)
		n.features("", FeatureScratch)
	}
}

// snapshots adds the rights to keep copies in the storage of the claims, which never leave their account.
func (n *needs) snapshots(spec sluice.Dataset, m *sluice.MigrateData) {
	leaves := m != nil && m.Source != nil && m.Source.Account != n.target.Account
	if spec.Mover != "kopia" && spec.Portworx == nil && !leaves {
		n.features("", FeatureDataSnapshots)
	}
}

// precautions adds the rights to suspend CronJobs. What replaces Secrets may also create them.
func (n *needs) precautions(m *sluice.MigrateData, namespace string) {
	if m == nil {
		return
	}
	for _, name := range m.Suspend {
		if ref, err := sluice.ParseRef(name, namespace); err == nil {
			n.kind(ref, change)
		}
	}
}

// surroundings adds the verbs on what a workload needs beside its data.
func (n *needs) surroundings(namespace string, verbs []string) {
	for _, kind := range []string{"ConfigMap", "Secret", "Service"} {
		n.kind(sluice.Ref{APIVersion: "v1", Kind: kind, Namespace: namespace}, verbs)
	}
}
