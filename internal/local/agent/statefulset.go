package agent

import (
	"fmt"
	"slices"
	"time"

	"encoding/json"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-cd/sluice"
)

// An ordinals is a StatefulSet's pods as they are now.
type ordinals struct {
	entry     *entry
	set       *appsv1.StatefulSet
	update    string // the revision wanted
	current   string // the revision that all pods had last
	first     int
	want      int
	partition int
	pods      map[int]*pod // those that are there, also while they stop
	now       time.Time
}

func (a *Agent) reconcileStatefulSet(e *entry) (time.Time, error) {
	o, err := a.ordinalsOf(e)
	if err != nil {
		return time.Time{}, err
	}
	if err := a.advanceOrdinals(o); err != nil {
		return time.Time{}, err
	}
	if o, err = a.ordinalsOf(e); err != nil {
		return time.Time{}, err
	}
	return a.reportStatefulSet(o)
}

func (a *Agent) ordinalsOf(e *entry) (*ordinals, error) {
	s := e.typed.(*appsv1.StatefulSet)
	template := e.Applied.Field("spec", "template")
	hash, err := hashOf(template)
	if err != nil {
		return nil, err
	}
	o := &ordinals{entry: e, set: s, update: hash, want: int(*s.Spec.Replicas), pods: map[int]*pod{}, now: time.Now()}
	if s.Spec.Ordinals != nil {
		o.first = int(s.Spec.Ordinals.Start)
	}
	if u := s.Spec.UpdateStrategy.RollingUpdate; u != nil && u.Partition != nil {
		o.partition = int(*u.Partition)
	}
	for _, p := range a.podsOf(e.uid()) {
		o.pods[p.Ordinal] = p
	}
	if err := a.keepRevision(o, template); err != nil {
		return nil, err
	}
	status, err := statusOf[appsv1.StatefulSetStatus](e)
	o.current = o.revisionIn(status.CurrentRevision)
	if e.Revisions[o.current] == nil {
		o.current = o.update
	}
	return o, err
}

// keepRevision remembers the template, because a partition may need an old one again.
func (a *Agent) keepRevision(o *ordinals, template any) error {
	if o.entry.Revisions[o.update] != nil {
		return nil
	}
	b, err := json.Marshal(template)
	if err != nil {
		return err
	}
	if o.entry.Revisions == nil {
		o.entry.Revisions = map[string]json.RawMessage{}
	}
	o.entry.Revisions[o.update] = b
	return a.store.put(o.entry)
}

func (o *ordinals) revisionName(hash string) string { return o.set.Name + "-" + hash }

func (o *ordinals) revisionIn(name string) string {
	return name[min(len(name), len(o.set.Name)+1):]
}

func (o *ordinals) available(p *pod) bool {
	at := p.availableAt(o.set.Spec.MinReadySeconds)
	return !at.IsZero() && !at.After(o.now)
}

// wanted returns the revision that the pod of the ordinal should have.
func (o *ordinals) wanted(i int) string {
	if i < o.first+o.partition {
		return o.current
	}
	return o.update
}

func (o *ordinals) parallel() bool {
	return o.set.Spec.PodManagementPolicy == appsv1.ParallelPodManagement
}

// advanceOrdinals does what it may do now: it starts missing pods, from the lowest; then stops surplus pods, from the
// highest; then replaces pods of another revision, from the highest.
func (a *Agent) advanceOrdinals(o *ordinals) error {
	for i := o.first; i < o.first+o.want; i++ {
		p := o.pods[i]
		if p == nil {
			if err := a.createOrdinal(o, i); err != nil {
				return err
			}
			p = o.pods[i]
		}
		// A pod of another revision that does not work will never let the next one start: advance replaces it.
		if !o.parallel() && !o.available(p) {
			return a.replaceStuck(o)
		}
	}
	if waiting, err := a.removeExcess(o); err != nil || waiting {
		return err
	}
	return a.updateNext(o)
}

// replaceStuck stops broken pods that have the wrong revision. Kubernetes would wait for ever until they are ready.
func (a *Agent) replaceStuck(o *ordinals) error {
	if o.set.Spec.UpdateStrategy.Type == appsv1.OnDeleteStatefulSetStrategyType {
		return nil
	}
	for i, p := range o.pods {
		if p.Revision != o.wanted(i) && !p.ready() && i < o.first+o.want {
			if err := a.stop(p, "replaced by a new revision"); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *Agent) removeExcess(o *ordinals) (bool, error) {
	var excess []int
	for i := range o.pods {
		if i < o.first || i >= o.first+o.want {
			excess = append(excess, i)
		}
	}
	slices.Sort(excess)
	slices.Reverse(excess)
	for _, i := range excess {
		if err := a.stop(o.pods[i], "scaled down"); err != nil || !o.parallel() {
			return true, err
		}
	}
	return len(excess) > 0, nil
}

// updateNext stops the highest pod of another revision, one at a time, once all others are ready.
func (a *Agent) updateNext(o *ordinals) error {
	if err := a.replaceStuck(o); err != nil || o.set.Spec.UpdateStrategy.Type == appsv1.OnDeleteStatefulSetStrategyType {
		return err
	}
	for i := o.first + o.want - 1; i >= o.first; i-- {
		if p := o.pods[i]; !o.available(p) {
			return nil
		}
	}
	for i := o.first + o.want - 1; i >= o.first; i-- {
		if o.pods[i].Revision != o.wanted(i) {
			return a.stop(o.pods[i], "replaced by a new revision")
		}
	}
	return nil
}

func (a *Agent) createOrdinal(o *ordinals, i int) error {
	revision := o.wanted(i)
	var t corev1.PodTemplateSpec
	if err := json.Unmarshal(o.entry.Revisions[revision], &t); err != nil {
		return err
	}
	r := recordOf(t, owner{"StatefulSet", o.set.Name, o.entry.uid()}, o.set.Namespace)
	r.Name, r.Ordinal, r.Revision = fmt.Sprintf("%s-%d", o.set.Name, i), i, revision
	r.Labels["statefulset.kubernetes.io/pod-name"] = r.Name
	r.Labels["apps.kubernetes.io/pod-index"] = fmt.Sprint(i)
	r.Labels["controller-revision-hash"] = o.revisionName(revision)
	for _, c := range o.set.Spec.VolumeClaimTemplates {
		if err := a.claimFor(o, c, &r); err != nil {
			return err
		}
	}
	p, err := a.create(r)
	o.pods[i] = p
	return err
}

// claimFor makes the pod's own claim from the template, unless an earlier pod of that name had it, and mounts it.
func (a *Agent) claimFor(o *ordinals, c corev1.PersistentVolumeClaim, r *record) error {
	name := c.Name + "-" + r.Name
	r.Spec.Volumes = slices.DeleteFunc(r.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == c.Name })
	r.Spec.Volumes = append(r.Spec.Volumes, corev1.Volume{Name: c.Name, VolumeSource: corev1.VolumeSource{
		PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name},
	}})
	if a.store.objects[key{"PersistentVolumeClaim", o.set.Namespace, name}] != nil {
		return nil
	}
	spec, err := plainOf(c.Spec)
	if err != nil {
		return err
	}
	claim := sluice.Object{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "spec": spec}
	claim.Set(name, "metadata", "name")
	claim.Set(o.set.Namespace, "metadata", "namespace")
	_, _, err = a.apply(claim)
	return err
}
