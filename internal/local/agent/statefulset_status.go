package agent

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// reportStatefulSet writes the status and returns when the passing of time will change it.
func (a *Agent) reportStatefulSet(o *ordinals) (time.Time, error) {
	s := o.status()
	if err := a.dropRevisions(o); err != nil {
		return time.Time{}, err
	}
	next := time.Time{}
	for _, p := range o.pods {
		at := p.availableAt(o.set.Spec.MinReadySeconds)
		if at.After(o.now) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next, a.store.setStatus(o.entry, s)
}

func (o *ordinals) status() appsv1.StatefulSetStatus {
	generation := int64(o.entry.Object.Number(0, "metadata", "generation"))
	s := appsv1.StatefulSetStatus{ObservedGeneration: generation, CollisionCount: new(int32)}
	var fresh []*pod
	for i, p := range o.pods {
		if p.Revision == o.wanted(i) {
			fresh = append(fresh, p)
		}
		s.Replicas++
		if p.Revision == o.update && !p.stopping() {
			s.UpdatedReplicas++
		}
		if p.Revision == o.current && !p.stopping() {
			s.CurrentReplicas++
		}
		if p.ready() {
			s.ReadyReplicas++
		}
		if o.available(p) {
			s.AvailableReplicas++
		}
	}
	if int(s.UpdatedReplicas) == o.want && int(s.Replicas) == o.want && int(s.AvailableReplicas) == o.want {
		o.current = o.update
		s.CurrentReplicas = s.UpdatedReplicas
	}
	if why := stalled(fresh); why != "" {
		s.Conditions = []appsv1.StatefulSetCondition{
			{Type: "Stalled", Status: corev1.ConditionTrue, Reason: "PodsNotReady", Message: why},
		}
	}
	s.CurrentRevision, s.UpdateRevision = o.revisionName(o.current), o.revisionName(o.update)
	return s
}

// dropRevisions forgets the templates that are no longer needed.
func (a *Agent) dropRevisions(o *ordinals) error {
	needed := map[string]bool{o.update: true, o.current: true}
	dropped := false
	for hash := range o.entry.Revisions {
		if !needed[hash] {
			delete(o.entry.Revisions, hash)
			dropped = true
		}
	}
	if !dropped {
		return nil
	}
	return a.store.put(o.entry)
}
