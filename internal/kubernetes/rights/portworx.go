package rights

import (
	"cmp"

	"github.com/sluice-cd/sluice"
)

// departure adds the rights to let Stork move the dataset out of the namespace: the workload is only read.
func (n *needs) departure(spec sluice.Dataset, namespace string) {
	for _, claim := range spec.Claims {
		n.kind(sluice.Ref{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: namespace, Name: claim}, change)
	}
	if ref, err := sluice.ParseRef(spec.Workload, namespace); err == nil {
		n.kind(ref, []string{"get"})
	}
	n.features(cmp.Or(spec.Portworx.Namespace, namespace), FeaturePortworx)
}

// arrival adds the rights to receive what Stork moves: the claims that are in the way keep their volumes.
func (n *needs) arrival(m *sluice.MigrateData, namespace string) {
	if m == nil || m.Spec.Portworx == nil {
		return
	}
	n.part(namespace, FeatureObserve, "pods")
	n.features(namespace, FeaturePortworxVolume)
}
