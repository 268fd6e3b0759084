package agent

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
)

// recordOf makes a pod's record from its template.
func recordOf(t corev1.PodTemplateSpec, o owner, namespace string) record {
	r := record{Namespace: namespace, Owner: o, Labels: map[string]string{}, Annotations: map[string]string{}}
	maps.Copy(r.Labels, t.Labels)
	maps.Copy(r.Annotations, t.Annotations)
	r.Spec = *t.Spec.DeepCopy()
	return r
}
