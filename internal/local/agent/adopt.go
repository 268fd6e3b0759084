package agent

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/sluice-cd/sluice"
)

// Beside applies the canary. The names of its pods begin with the replica set.
func (a *Agent) Beside(r BesideRequest) (sluice.Object, sluice.Outcome, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	defer a.wake()
	if a.ending {
		return nil, "", errEnding
	}
	if wrong := validation.IsDNS1123Subdomain(r.ReplicaSet); len(wrong) > 0 {
		return nil, "", sluice.Errorf(sluice.Invalid, "%q is not a name that a replica set may have: %s",
			r.ReplicaSet, wrong[0])
	}
	ref := r.Canary.Ref()
	if holder := a.holder(ref, r.ReplicaSet); holder != "" {
		return nil, "", sluice.Errorf(sluice.Conflict, "the pods of the replica set %s belong to %s, not to %s",
			r.ReplicaSet, holder, ref).WithHint("delete %s, or wait until its pods have ended", holder)
	}
	return a.applyAs(r.Canary, applying{replicaSet: r.ReplicaSet})
}

// holder names the workload other than the canary that has pods of the replica set, "" if there is none.
func (a *Agent) holder(canary sluice.Ref, replicaSet string) string {
	for _, e := range a.store.list("Deployment", canary.Namespace) {
		if e.ReplicaSet == replicaSet && e.key() != keyOf(canary) {
			return e.Object.Ref().String()
		}
	}
	for _, p := range a.pods {
		if p.Namespace == canary.Namespace && p.replicaSet() == replicaSet && p.isOwned() &&
			p.ownerName() != canary.String() {
			return p.ownerName()
		}
	}
	return ""
}

// Orphan marks the Deployment. The controllers take its pods from it and then remove it.
func (a *Agent) Orphan(ref sluice.Ref) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ending {
		return errEnding
	}
	e := a.store.objects[keyOf(ref)]
	if e == nil || e.deleting() {
		return nil
	}
	e.Orphan = true
	return a.markDeleting(e)
}

// disown leaves the workload's pods without an owner. The mutex is held.
func (a *Agent) disown(e *entry) error {
	for _, p := range a.podsOf(e.uid()) {
		p.Owner = owner{}
		if err := a.save(p); err != nil {
			return err
		}
	}
	return nil
}

// adopt makes the Deployment the owner of the pods without one that its selector matches. The mutex is held.
func (a *Agent) adopt(e *entry, by *metav1.LabelSelector) error {
	selector, err := metav1.LabelSelectorAsSelector(by)
	if err != nil {
		return err
	}
	k := e.key()
	for _, p := range a.ownerless(k.Namespace) {
		if !selector.Matches(labels.Set(p.Labels)) {
			continue
		}
		p.Owner = owner{k.Kind, k.Name, e.uid()}
		if err := a.save(p); err != nil {
			return err
		}
	}
	return nil
}

// ownerless returns the pods of the namespace whose workload was orphaned, oldest first. The mutex is held.
func (a *Agent) ownerless(namespace string) []*pod {
	var pods []*pod
	for _, p := range a.podsOf("") {
		if p.Namespace == namespace {
			pods = append(pods, p)
		}
	}
	return pods
}
