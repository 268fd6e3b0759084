// Package rights knows which rights Sluice needs in a cluster, and asks the cluster which of them are missing. Start at
// [Features] and [Reviewer].
package rights

import "github.com/sluice-cd/sluice"

// A Grant is a rule of a Role. It allows every verb on every resource of the group.
type Grant struct {
	Group     string
	Resources []string
	Verbs     []string
}

// A Feature is something that Sluice does, with the rights that it needs. A file of its name under deploy/ grants
// exactly these rights.
type Feature struct {
	Name    string
	Cluster bool // the resources do not belong to a namespace
	Grants  []Grant
}

// The names of the features.
const (
	FeatureObserve        = "observe"
	FeatureLogs           = "logs"
	FeatureApply          = "apply"
	FeatureRollout        = "rollout"
	FeatureExec           = "exec"
	FeaturePortForward    = "port-forward"
	FeatureServiceProxy   = "service-proxy"
	FeatureTraffic        = "traffic"
	FeatureTrafficPods    = "traffic-pods"
	FeatureTrafficGateway = "traffic-gateway"
	FeatureTrafficIstio   = "traffic-istio"
	FeatureTrafficSMI     = "traffic-smi"
	FeatureNamespaces     = "namespaces"
	FeatureCRDs           = "crds"
	FeatureScratch        = "scratch"
	FeatureBeside         = "beside"
	FeatureData           = "data"
	FeatureDataVolumes    = "data-volumes"
	FeatureDataSnapshots  = "data-snapshots"
	FeaturePortworx       = "portworx"
	FeaturePortworxVolume = "portworx-volumes"
)

var (
	look    = []string{"get", "list", "watch"}
	change  = []string{"get", "list", "watch", "patch"}
	keep    = []string{"get", "list", "watch", "create", "patch", "delete"}
	put     = []string{"get", "create", "patch"}
	group   = []string{"get", "watch", "create", "delete"}
	connect = []string{"get", "create"} // WebSocket needs the one, SPDY the other
)

// Features returns every feature and its rights.
func Features() []Feature {
	return []Feature{
		{Name: FeatureObserve, Grants: []Grant{
			{"", []string{"pods", "services", "events"}, look},
			{"apps", []string{"controllerrevisions", "replicasets"}, look},
			{"discovery.k8s.io", []string{"endpointslices"}, look},
			{"policy", []string{"poddisruptionbudgets"}, look},
			{"autoscaling", []string{"horizontalpodautoscalers"}, look},
		}},
		{Name: FeatureLogs, Grants: []Grant{{"", []string{"pods/log"}, []string{"get"}}}},
		{Name: FeatureApply, Grants: []Grant{
			{"", []string{"configmaps", "persistentvolumeclaims", "secrets", "serviceaccounts", "services"}, keep},
			{"apps", []string{"daemonsets", "deployments", "statefulsets"}, keep},
			{"batch", []string{"cronjobs", "jobs"}, keep},
			{"autoscaling", []string{"horizontalpodautoscalers"}, keep},
			{"networking.k8s.io", []string{"ingresses", "networkpolicies"}, keep},
			{"policy", []string{"poddisruptionbudgets"}, keep},
		}},
		{Name: FeatureRollout, Grants: []Grant{
			{"", []string{"pods/eviction"}, []string{"create"}},
			{"", []string{"pods"}, []string{"delete"}},
		}},
		{Name: FeatureExec, Grants: []Grant{{"", []string{"pods/exec"}, connect}}},
		{Name: FeaturePortForward, Grants: []Grant{
			{"", []string{"pods/portforward"}, connect},
			{"", []string{"services"}, []string{"get"}},
			{"discovery.k8s.io", []string{"endpointslices"}, []string{"list"}},
		}},
		{Name: FeatureServiceProxy, Grants: []Grant{
			{"", []string{"services"}, []string{"get"}},
			{"", []string{"services/proxy"}, []string{"get", "create", "update", "patch", "delete"}},
		}},
		{Name: FeatureTraffic, Grants: []Grant{
			{"", []string{"services"}, keep},
			{"apps", []string{"replicasets"}, []string{"create"}},
			// Some clusters ask for it before something that the Deployment owns may hold back its deletion.
			{"apps", []string{"deployments/finalizers"}, []string{"update"}},
		}},
		{Name: FeatureTrafficPods, Grants: []Grant{{"", []string{"pods"}, []string{"get", "patch"}}}},
		{Name: FeatureTrafficGateway, Grants: []Grant{
			{"gateway.networking.k8s.io", []string{"grpcroutes", "httproutes"}, change},
		}},
		{Name: FeatureTrafficIstio, Grants: []Grant{
			{"networking.istio.io", []string{"destinationrules", "virtualservices"}, change},
		}},
		{Name: FeatureTrafficSMI, Grants: []Grant{{"split.smi-spec.io", []string{"trafficsplits"}, keep}}},
		{Name: FeatureNamespaces, Cluster: true, Grants: []Grant{{"", []string{"namespaces"}, keep}}},
		{Name: FeatureCRDs, Cluster: true, Grants: []Grant{
			{"apiextensions.k8s.io", []string{"customresourcedefinitions"}, keep},
		}},
		// The names of the namespaces are not known before.
		{Name: FeatureScratch, Cluster: true, Grants: []Grant{
			{"", []string{"namespaces", "persistentvolumeclaims", "secrets", "services"}, keep},
			{"", []string{"configmaps", "resourcequotas"}, put},
			{"", []string{"events", "pods"}, look},
			{"", []string{"pods/portforward"}, connect},
			{"discovery.k8s.io", []string{"endpointslices"}, []string{"list"}},
			{"apps", []string{"deployments", "statefulsets"}, keep},
			{"apps", []string{"replicasets"}, look},
			{"batch", []string{"jobs"}, keep},
			{"networking.k8s.io", []string{"networkpolicies"}, put},
			{"snapshot.storage.k8s.io", []string{"volumesnapshots"}, keep},
			{"groupsnapshot.storage.k8s.io", []string{"volumegroupsnapshots"}, group},
		}},
		{Name: FeatureBeside, Grants: []Grant{
			{"batch", []string{"jobs"}, keep},
			{"", []string{"secrets", "services"}, keep},
			{"", []string{"pods", "events"}, look},
		}},
		{Name: FeatureData, Grants: []Grant{
			{"", []string{"persistentvolumeclaims"}, keep},
			{"snapshot.storage.k8s.io", []string{"volumesnapshots"}, keep},
			{"groupsnapshot.storage.k8s.io", []string{"volumegroupsnapshots"}, group},
			{"", []string{"pods", "resourcequotas"}, []string{"list"}},
			{"apps", []string{"replicasets"}, []string{"get"}},
		}},
		{Name: FeatureDataVolumes, Cluster: true, Grants: []Grant{
			{"", []string{"persistentvolumes"}, []string{"get", "list", "watch", "patch", "delete"}},
			{"storage.k8s.io", []string{"storageclasses"}, []string{"get", "list"}},
			{"storage.k8s.io", []string{"volumeattachments"}, look},
			{"snapshot.storage.k8s.io", []string{"volumesnapshotclasses"}, []string{"list"}},
			{"snapshot.storage.k8s.io", []string{"volumesnapshotcontents"}, []string{"get", "list", "patch"}},
			{"groupsnapshot.storage.k8s.io", []string{"volumegroupsnapshotclasses"}, []string{"list"}},
			{"groupsnapshot.storage.k8s.io", []string{"volumegroupsnapshotcontents"}, []string{"get", "patch"}},
		}},
		// A content is waited for until it is gone.
		{Name: FeatureDataSnapshots, Cluster: true, Grants: []Grant{
			{"snapshot.storage.k8s.io", []string{"volumesnapshotcontents"}, keep},
		}},
		{Name: FeaturePortworx, Grants: []Grant{
			{"stork.libopenstorage.org", []string{"clusterpairs"}, []string{"get"}},
			{"stork.libopenstorage.org", []string{"migrations"}, keep},
			{"", []string{"events"}, look},
		}},
		{Name: FeaturePortworxVolume, Cluster: true, Grants: []Grant{
			{"", []string{"persistentvolumes"}, keep},
			{"storage.k8s.io", []string{"volumeattachments"}, look},
		}},
	}
}

// rights lists the rights of the feature in the namespace.
func (f Feature) rights(namespace string) []sluice.Right {
	if f.Cluster {
		namespace = ""
	}
	var list []sluice.Right
	for _, g := range f.Grants {
		for _, resource := range g.Resources {
			for _, verb := range g.Verbs {
				r := sluice.Right{Verb: verb, Group: g.Group, Resource: resource, Namespace: namespace, Feature: f.Name}
				r.Dispensable = isDispensable(r)
				list = append(list, r)
			}
		}
	}
	return list
}

// isDispensable reports whether deployments go on without a right of a feature. Only sets whose pods Sluice replaces
// itself need evictions.
func isDispensable(r sluice.Right) bool {
	switch r.Feature {
	case FeatureLogs, FeatureRollout:
		return true
	case FeatureObserve:
		return r.Resource == "events" || r.Resource == "poddisruptionbudgets"
	case FeatureData: // without them the plan does not see that a quota is too small
		return r.Resource == "resourcequotas"
	case FeatureDataVolumes: // without it the plan does not see that a class is missing
		return r.Resource == "storageclasses" && r.Verb == "list"
	case FeaturePortworx: // without them a Migration that does not move is not explained
		return r.Resource == "events"
	case FeatureTraffic: // without them the cluster names the ReplicaSet of a canary
		return r.Group == "apps"
	}
	return false
}

func feature(name string) Feature {
	for _, f := range Features() {
		if f.Name == name {
			return f
		}
	}
	return Feature{Name: name}
}
