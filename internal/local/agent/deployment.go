package agent

import (
	"cmp"
	"errors"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// A rollout is a Deployment's pods, grouped by version and state.
type rollout struct {
	entry       *entry
	deployment  *appsv1.Deployment
	hash        string
	replicaSet  string // begins the names of new pods
	want        int
	had         int // new pods that the last status counted
	surge       int // how many more than want there may be
	unavailable int // how many fewer than want there may be
	fresh       []*pod
	old         []*pod
	leaving     int // stopping, or ended and not yet gone
	now         time.Time
}

func (a *Agent) reconcileDeployment(e *entry) (time.Time, error) {
	if err := a.adopt(e, e.typed.(*appsv1.Deployment).Spec.Selector); err != nil {
		return time.Time{}, err
	}
	r, err := a.rolloutOf(e)
	if err != nil {
		return time.Time{}, err
	}
	if err := a.advance(r); err != nil {
		return time.Time{}, err
	}
	if r, err = a.rolloutOf(e); err != nil {
		return time.Time{}, err
	}
	return a.reportDeployment(r)
}

func (a *Agent) rolloutOf(e *entry) (*rollout, error) {
	d := e.typed.(*appsv1.Deployment)
	hash, err := hashOf(e.Applied.Field("spec", "template"))
	if err != nil {
		return nil, err
	}
	r := &rollout{
		entry: e, deployment: d, hash: hash, replicaSet: e.ReplicaSet, want: int(*d.Spec.Replicas), now: time.Now(),
	}
	if err := errors.Join(r.bounds(), r.remember()); err != nil {
		return nil, err
	}
	for _, p := range a.podsOf(e.uid()) {
		if p.Revision == hash {
			r.replicaSet = cmp.Or(r.replicaSet, p.replicaSet())
		}
		switch {
		case p.stopping() || p.ended():
			r.leaving++
		case p.Revision == hash:
			r.fresh = append(r.fresh, p)
		default:
			r.old = append(r.old, p)
		}
	}
	return r, nil
}

// remember reads from the last status how many new pods there were.
func (r *rollout) remember() error {
	before, err := statusOf[appsv1.DeploymentStatus](r.entry)
	if before.ObservedGeneration == int64(r.entry.Object.Number(0, "metadata", "generation")) {
		r.had = int(before.UpdatedReplicas)
	}
	return err
}

// bounds resolves maxSurge and maxUnavailable, which may be percentages, with the defaults of Kubernetes.
func (r *rollout) bounds() error {
	quarter := intstr.FromString("25%")
	surge, unavailable := &quarter, &quarter
	if u := r.deployment.Spec.Strategy.RollingUpdate; u != nil {
		if u.MaxSurge != nil {
			surge = u.MaxSurge
		}
		if u.MaxUnavailable != nil {
			unavailable = u.MaxUnavailable
		}
	}
	var err error
	if r.surge, err = intstr.GetScaledValueFromIntOrPercent(surge, r.want, true); err != nil {
		return err
	}
	if r.unavailable, err = intstr.GetScaledValueFromIntOrPercent(unavailable, r.want, false); err != nil {
		return err
	}
	if r.surge == 0 && r.unavailable == 0 {
		r.unavailable = 1 // otherwise the rollout could never continue
	}
	return nil
}

func (r *rollout) available(p *pod) bool {
	at := p.availableAt(r.deployment.Spec.MinReadySeconds)
	return !at.IsZero() && !at.After(r.now)
}

func (r *rollout) count(pods []*pod) int {
	n := 0
	for _, p := range pods {
		if r.available(p) {
			n++
		}
	}
	return n
}

// advance starts and stops the pods that it may now: never more than want+surge pods, never fewer available than
// want-unavailable.
func (a *Agent) advance(r *rollout) error {
	if r.deployment.Spec.Paused {
		return a.hold(r)
	}
	if r.deployment.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType &&
		(len(r.old) > 0 || len(r.fresh) == 0 && r.leaving > 0) {
		return a.stopAll(r.old, "replaced by a new version")
	}
	if err := a.resize(r, min(r.want, max(len(r.fresh), r.want+r.surge-len(r.old)))); err != nil {
		return err
	}
	return a.stopAll(r.dispensable(), "replaced by a new version")
}

// resize starts or stops new pods until there are as many as given.
func (a *Agent) resize(r *rollout, size int) error {
	if n := len(r.fresh) - size; n > 0 {
		least := r.leastUseful(r.fresh)
		r.fresh = least[n:]
		return a.stopAll(least[:n], "scaled down")
	}
	for range size - len(r.fresh) {
		if err := a.createForDeployment(r); err != nil {
			return err
		}
	}
	return nil
}

// hold does what a cluster does while a Deployment is paused: it scales new pods that are alone, and replaces those
// that are gone. It ends the old ones once the new ones are all there and available, as they may be after an adoption.
func (a *Agent) hold(r *rollout) error {
	if len(r.fresh) > 0 && len(r.old) == 0 {
		return a.resize(r, r.want)
	}
	if err := a.resize(r, max(len(r.fresh), r.had)); err != nil {
		return err
	}
	if len(r.fresh) == r.want && r.count(r.fresh) == r.want {
		return a.stopAll(r.old, "replaced by a new version")
	}
	return nil
}

// dispensable returns the old pods that can be stopped: all broken ones, and as many others as still leave enough
// available.
func (r *rollout) dispensable() []*pod {
	spare := r.count(r.fresh) + r.count(r.old) - (r.want - r.unavailable)
	var gone []*pod
	for _, p := range r.leastUseful(r.old) {
		if r.available(p) {
			if spare <= 0 {
				break
			}
			spare--
		}
		gone = append(gone, p)
	}
	return gone
}

// leastUseful sorts those first that are not available.
func (r *rollout) leastUseful(pods []*pod) []*pod {
	var idle, busy []*pod
	for _, p := range pods {
		if r.available(p) {
			busy = append(busy, p)
			continue
		}
		idle = append(idle, p)
	}
	return append(idle, busy...)
}

func (a *Agent) createForDeployment(r *rollout) error {
	t := r.deployment.Spec.Template
	rec := recordOf(t, owner{"Deployment", r.deployment.Name, r.entry.uid()}, r.deployment.Namespace)
	rec.Name = cmp.Or(r.replicaSet, r.deployment.Name+"-"+r.hash) + "-" + suffix()
	rec.Revision = r.hash
	rec.Labels["pod-template-hash"] = r.hash
	p, err := a.create(rec)
	if err != nil {
		return err
	}
	r.fresh = append(r.fresh, p)
	return nil
}

func (a *Agent) stopAll(pods []*pod, reason string) error {
	for _, p := range pods {
		if err := a.stop(p, reason); err != nil {
			return err
		}
	}
	return nil
}
