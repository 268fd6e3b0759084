package manifest

import (
	"cmp"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
)

var clusterScoped = []string{
	"Namespace", "Node", "PersistentVolume", "StorageClass", "VolumeAttachment", "CSIDriver", "CSINode",
	"VolumeSnapshotClass", "VolumeSnapshotContent", "CustomResourceDefinition", "APIService",
	"ClusterRole", "ClusterRoleBinding", "PriorityClass", "RuntimeClass", "IngressClass", "GatewayClass",
	"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "ValidatingAdmissionPolicy",
	"ValidatingAdmissionPolicyBinding", "CertificateSigningRequest", "FlowSchema", "PriorityLevelConfiguration",
	"ClusterIssuer", "ClusterTrustBundle",
}

// SetNamespace puts every namespaced object into the namespace and updates role bindings to service accounts that
// moved. "" changes nothing. Custom resources count as namespaced unless their definition is among the objects and says
// otherwise.
func SetNamespace(objs []sluice.Object, namespace string) {
	if namespace == "" {
		return
	}
	accounts := map[[2]string]bool{}
	scoped := clusterKinds(objs)
	for _, o := range objs {
		if o.Text("kind") == "ServiceAccount" {
			accounts[[2]string{namespaceOf(o), o.Text("metadata", "name")}] = true
		}
	}
	for _, o := range objs {
		moveSubjects(o, accounts, namespace)
		if isNamespaced(o, scoped) {
			o.Set(namespace, "metadata", "namespace")
		}
	}
}

// FillNamespace puts every namespaced object that names no namespace into the given one.
func FillNamespace(objs []sluice.Object, namespace string) {
	scoped := clusterKinds(objs)
	for _, o := range objs {
		if o.Text("metadata", "namespace") == "" && isNamespaced(o, scoped) {
			o.Set(namespace, "metadata", "namespace")
		}
	}
}

func isNamespaced(o sluice.Object, scoped map[string]bool) bool {
	return !slices.Contains(clusterScoped, o.Text("kind")) && !scoped[group(o)+"/"+o.Text("kind")]
}

func clusterKinds(objs []sluice.Object) map[string]bool {
	kinds := map[string]bool{}
	for _, o := range objs {
		if o.Text("kind") == "CustomResourceDefinition" && o.Text("spec", "scope") == "Cluster" {
			kinds[o.Text("spec", "group")+"/"+o.Text("spec", "names", "kind")] = true
		}
	}
	return kinds
}

func moveSubjects(o sluice.Object, accounts map[[2]string]bool, namespace string) {
	kind := o.Text("kind")
	if kind != "RoleBinding" && kind != "ClusterRoleBinding" {
		return
	}
	for _, s := range o.List("subjects") {
		old := s.Text("namespace")
		moved := accounts[[2]string{old, s.Text("name")}] || kind == "RoleBinding" && old == namespaceOf(o)
		if s.Text("kind") == "ServiceAccount" && moved {
			s["namespace"] = namespace
		}
	}
}

func namespaceOf(o sluice.Object) string { return cmp.Or(o.Text("metadata", "namespace"), "default") }

func group(o sluice.Object) string {
	g, _, found := strings.Cut(o.Text("apiVersion"), "/")
	if !found {
		return ""
	}
	return g
}
