package watch

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"

	kjson "sigs.k8s.io/json"

	"github.com/sluice-cd/sluice"
)

// A replicaSet is the part of a ReplicaSet that is kept. Its template never changes, but its owner may: a Deployment
// adopts what another one has left behind.
type replicaSet struct {
	uid, ownerUID string
	template      [sha256.Size]byte
	refusal       refusal       // why its pods cannot be created
	meta          sluice.Object // nothing but its metadata
}

// UnmarshalJSON reads a ReplicaSet as the API server sends it, but not its managedFields, which are its largest part.
func (s *replicaSet) UnmarshalJSON(data []byte) error {
	var o struct {
		Metadata struct {
			Name              string         `json:"name"`
			Namespace         string         `json:"namespace"`
			UID               string         `json:"uid"`
			ResourceVersion   string         `json:"resourceVersion"`
			DeletionTimestamp string         `json:"deletionTimestamp"`
			Labels            map[string]any `json:"labels"`
			Annotations       map[string]any `json:"annotations"`
			OwnerReferences   []any          `json:"ownerReferences"`
		} `json:"metadata"`
		Spec struct {
			Template map[string]any `json:"template"`
		} `json:"spec"`
		Status sluice.Object `json:"status"`
	}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(data, &o); err != nil {
		return err
	}
	m := o.Metadata
	meta := sluice.Object{"metadata": map[string]any{
		"name": m.Name, "namespace": m.Namespace, "uid": m.UID, "resourceVersion": m.ResourceVersion,
		"labels": m.Labels, "annotations": m.Annotations, "ownerReferences": m.OwnerReferences,
	}}
	if m.DeletionTimestamp != "" {
		meta.Set(m.DeletionTimestamp, "metadata", "deletionTimestamp")
	}
	*s = replicaSet{
		uid: m.UID, ownerUID: ownerUID(meta), template: digest(o.Spec.Template),
		refusal: replicaFailure(sluice.Object{"status": map[string]any(o.Status)}), meta: meta,
	}
	return nil
}

// workload returns the uid of its Deployment, its own if it has none.
func (s replicaSet) workload() string { return cmp.Or(s.ownerUID, s.uid) }

func ownerUID(o sluice.Object) string {
	for _, owner := range o.List("metadata", "ownerReferences") {
		if owner["controller"] == true {
			return owner.Text("uid")
		}
	}
	return ""
}

// templateDigest is the same for a Deployment and for the ReplicaSet that was made from its template.
func templateDigest(o sluice.Object) [sha256.Size]byte {
	template, _ := o.Field("spec", "template").(map[string]any)
	return digest(sluice.Object(template).Clone())
}

// digest is templateDigest of a template, from which it takes the label with the hash.
func digest(t sluice.Object) [sha256.Size]byte {
	if labels, ok := t.Field("metadata", "labels").(map[string]any); ok {
		delete(labels, "pod-template-hash")
	}
	data, _ := json.Marshal(t) // what was decoded from JSON can be encoded
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
