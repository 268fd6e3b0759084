package watch

import (
	"cmp"
	"crypto/sha256"
	"maps"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kjson "sigs.k8s.io/json"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/pod"
)

// A replicaSet is the part of a ReplicaSet that is kept. Its template never changes, but its owner may: a Deployment
// adopts what another one has left behind.
type replicaSet struct {
	uid, ownerUID string
	template      [sha256.Size]byte
	refusal       refusal       // why its pods cannot be created
	meta          sluice.Object // nothing but its metadata
}

// UnmarshalJSON reads a ReplicaSet as the API server sends it.
func (s *replicaSet) UnmarshalJSON(data []byte) error {
	var o appsv1.ReplicaSet
	if err := kjson.UnmarshalCaseSensitivePreserveInts(data, &o); err != nil {
		return err
	}
	*s = replicaSetOf(&o)
	return nil
}

func replicaSetOf(o *appsv1.ReplicaSet) replicaSet {
	meta := sluice.Object{"metadata": map[string]any{
		"name": o.Name, "namespace": o.Namespace, "uid": string(o.UID), "resourceVersion": o.ResourceVersion,
		"labels": asObject(o.Labels), "annotations": asObject(o.Annotations),
		"ownerReferences": ownersOf(o.OwnerReferences),
	}}
	if t := o.DeletionTimestamp; t != nil {
		meta.Set(t.UTC().Format(time.RFC3339), "metadata", "deletionTimestamp")
	}
	s := replicaSet{
		uid: string(o.UID), ownerUID: string(pod.Controller(o.OwnerReferences).UID), template: digest(&o.Spec.Template),
		meta: meta,
	}
	for _, c := range o.Status.Conditions {
		if c.Type == appsv1.ReplicaSetReplicaFailure && c.Status == corev1.ConditionTrue {
			s.refusal = refusal{c.Message, c.LastTransitionTime.UTC()}
		}
	}
	return s
}

func asObject(texts map[string]string) map[string]any {
	o := make(map[string]any, len(texts))
	for key, value := range texts {
		o[key] = value
	}
	return o
}

func ownersOf(owners []metav1.OwnerReference) []any {
	var list []any
	for _, owner := range owners {
		o := map[string]any{
			"apiVersion": owner.APIVersion, "kind": owner.Kind, "name": owner.Name, "uid": string(owner.UID),
		}
		if owner.Controller != nil {
			o["controller"] = *owner.Controller
		}
		list = append(list, o)
	}
	return list
}

// workload returns the uid of its Deployment, its own if it has none.
func (s replicaSet) workload() string { return cmp.Or(s.ownerUID, s.uid) }

// templateDigest is the same for a Deployment and for the ReplicaSet that was made from its template. Fields that this
// version of Sluice does not know count for nothing.
func templateDigest(o sluice.Object) [sha256.Size]byte {
	stored, _ := o.Field("spec", "template").(map[string]any)
	var t corev1.PodTemplateSpec
	if runtime.DefaultUnstructuredConverter.FromUnstructured(stored, &t) != nil {
		return [sha256.Size]byte{} // which no template has
	}
	return digest(&t)
}

// digest is templateDigest of a template, without the label with the hash.
func digest(template *corev1.PodTemplateSpec) [sha256.Size]byte {
	t := *template
	t.Labels = maps.Clone(t.Labels)
	delete(t.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
	data, _ := t.Marshal() // it has no value that cannot be encoded
	return sha256.Sum256(data)
}

// setStore takes the ReplicaSets of Deployments.
type setStore workloads

var _ store[replicaSet] = (*setStore)(nil)

func (p *setStore) replace(items []replicaSet, _ string) {
	s := (*workloads)(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.sets
	s.sets = newGroups[replicaSet]()
	for _, item := range items {
		s.sets.put(item.workload(), item.uid, item)
	}
	for uid := range s.all {
		s.update(uid)
	}
	for _, item := range items {
		s.movePods(item, cmp.Or(before.of[item.uid], item.uid))
	}
}

func (p *setStore) set(item replicaSet) {
	s := (*workloads)(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.workloadOf(item.uid)
	s.sets.put(item.workload(), item.uid, item)
	s.update(item.workload())
	s.movePods(item, before)
}

// movePods gives the pods of the ReplicaSet to its workload, which is then passed on: it has other pods than before.
func (s *workloads) movePods(set replicaSet, before string) {
	workload, moved := set.workload(), false
	if workload == before {
		return
	}
	for uid, r := range s.pods.items[before] {
		if r.controller == set.uid {
			s.pods.put(workload, uid, r)
			moved = true
		}
	}
	if moved {
		s.update(before)
		s.update(workload)
		s.renew(workload)
	}
}

func (p *setStore) drop(item replicaSet) {
	s := (*workloads)(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	if workload, ok := s.sets.remove(item.uid); ok {
		s.update(workload)
	}
}

// workloadOf returns the uid of the workload to which a controller of pods belongs: that of the Deployment of a
// ReplicaSet, else that of the controller.
func (s *workloads) workloadOf(controller string) string {
	return cmp.Or(s.sets.of[controller], controller)
}
