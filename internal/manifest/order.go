package manifest

import (
	"slices"

	"github.com/sluice-cd/sluice"
)

// order lists kinds before the kinds that need them. Kinds that are not listed are custom resources: they come last,
// after their definitions and the controllers that read them.
var order = [][]string{
	{"Namespace"},
	{"CustomResourceDefinition"},
	{"PriorityClass", "RuntimeClass", "StorageClass", "IngressClass", "CSIDriver", "VolumeSnapshotClass"},
	{"ResourceQuota", "LimitRange", "NetworkPolicy"},
	{"ServiceAccount"},
	{"Secret"},
	{"ConfigMap"},
	{"PersistentVolume"},
	{"PersistentVolumeClaim"},
	{"ClusterRole", "Role"},
	{"ClusterRoleBinding", "RoleBinding"},
	{"Service", "Endpoints", "EndpointSlice"},
	{"StatefulSet", "DaemonSet"},
	{"Job"},
	{"Deployment"},
	{"CronJob"},
	{"HorizontalPodAutoscaler", "PodDisruptionBudget"},
	{"Ingress", "APIService", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"},
}

// Order returns the objects in the order in which they can be applied: each after the kinds that it may need. Objects
// of one rank keep their order. Order does not change its argument.
func Order(objs []sluice.Object) []sluice.Object {
	sorted := slices.Clone(objs)
	slices.SortStableFunc(sorted, func(a, b sluice.Object) int { return rank(a) - rank(b) })
	return sorted
}

func rank(o sluice.Object) int {
	kind := o.Text("kind")
	for i, kinds := range order {
		if slices.Contains(kinds, kind) {
			return i
		}
	}
	return len(order)
}
