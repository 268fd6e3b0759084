package agent

import (
	"fmt"
	"math"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// reportDeployment writes the status and returns when the passing of time will change it.
func (a *Agent) reportDeployment(r *rollout) (time.Time, error) {
	before, err := statusOf[appsv1.DeploymentStatus](r.entry)
	if err != nil {
		return time.Time{}, err
	}
	s := r.status()
	deadline := r.progress(before, &s)
	if err := a.store.setStatus(r.entry, s); err != nil {
		return time.Time{}, err
	}
	return r.nextLook(deadline), nil
}

func (r *rollout) status() appsv1.DeploymentStatus {
	all := append(append([]*pod{}, r.fresh...), r.old...)
	s := appsv1.DeploymentStatus{
		ObservedGeneration: int64(r.entry.Object.Number(0, "metadata", "generation")),
		Replicas:           int32(len(all)),
		UpdatedReplicas:    int32(len(r.fresh)),
		AvailableReplicas:  int32(r.count(all)),
	}
	for _, p := range all {
		if p.ready() {
			s.ReadyReplicas++
		}
	}
	leaving := int32(r.leaving) // those who wait for a claim to become free watch this
	s.TerminatingReplicas = &leaving
	s.UnavailableReplicas = max(0, int32(r.want)-s.AvailableReplicas)
	return s
}

func (r *rollout) complete(s *appsv1.DeploymentStatus) bool {
	return int(s.UpdatedReplicas) == r.want && s.Replicas == s.UpdatedReplicas && int(s.AvailableReplicas) == r.want
}

// progress fills in the conditions and returns when the rollout will count as stuck, zero if it is complete.
func (r *rollout) progress(before appsv1.DeploymentStatus, s *appsv1.DeploymentStatus) time.Time {
	available := condition("Available", int(s.AvailableReplicas) >= r.want-r.unavailable,
		"MinimumReplicasAvailable", "MinimumReplicasUnavailable",
		fmt.Sprintf("%d of %d replicas are available", s.AvailableReplicas, r.want))
	progressing := condition("Progressing", true, "ReplicaSetUpdated", "", "the rollout is under way")
	limit := r.limit()
	last := deploymentCondition(before, "Progressing")
	deadline := time.Time{}
	switch {
	case r.deployment.Spec.Paused:
		progressing.Status, progressing.Reason = corev1.ConditionUnknown, "DeploymentPaused"
		progressing.Message = "the Deployment is paused"
	case r.complete(s):
		progressing.Reason, progressing.Message = "NewReplicaSetAvailable", "the rollout is complete"
	case last != nil && last.Reason == "NewReplicaSetAvailable" && before.ObservedGeneration == s.ObservedGeneration:
		progressing.Reason, progressing.Message = last.Reason, last.Message // a pod that fails later does not undo a rollout
	case last != nil && !moved(before, *s):
		progressing.LastUpdateTime = last.LastUpdateTime
		deadline = last.LastUpdateTime.Add(limit + time.Second) // it is kept in whole seconds
		if !deadline.After(r.now) {
			progressing = condition("Progressing", false, "", "ProgressDeadlineExceeded", r.stuck(limit))
			deadline = time.Time{}
		}
	default:
		deadline = r.now.Add(limit)
	}
	s.Conditions = []appsv1.DeploymentCondition{keepTimes(before, available), keepTimes(before, progressing)}
	if why := stalled(r.fresh); why != "" {
		s.Conditions = append(s.Conditions, keepTimes(before, condition("Stalled", true, "PodsNotReady", "", why)))
	}
	return deadline
}

// limit returns how long the rollout may make no progress: a canary as long as it wants, because the step that brought
// it decides.
func (r *rollout) limit() time.Duration {
	if r.entry.ReplicaSet != "" {
		return math.MaxInt32 * time.Second
	}
	return time.Duration(ptr.Deref(r.deployment.Spec.ProgressDeadlineSeconds, 600)) * time.Second
}

// moved reports whether the rollout has made progress since the previous status.
func moved(before, now appsv1.DeploymentStatus) bool {
	return before.ObservedGeneration != now.ObservedGeneration || now.UpdatedReplicas > before.UpdatedReplicas ||
		now.ReadyReplicas > before.ReadyReplicas || now.AvailableReplicas > before.AvailableReplicas ||
		now.Replicas-now.UpdatedReplicas < before.Replicas-before.UpdatedReplicas
}

func (r *rollout) stuck(limit time.Duration) string {
	for _, p := range r.fresh {
		if !p.ready() {
			return fmt.Sprintf("no progress for %s: %s is not ready: %s", limit, p.Name, p.why())
		}
	}
	return fmt.Sprintf("no progress for %s", limit)
}

// nextLook returns when a pod will have been ready for long enough, or when the rollout will count as stuck.
func (r *rollout) nextLook(deadline time.Time) time.Time {
	next := deadline
	for _, p := range append(append([]*pod{}, r.fresh...), r.old...) {
		at := p.availableAt(r.deployment.Spec.MinReadySeconds)
		if at.After(r.now) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}

func condition(kind string, holds bool, yes, no, message string) appsv1.DeploymentCondition {
	now := metav1.Now()
	c := appsv1.DeploymentCondition{
		Type: appsv1.DeploymentConditionType(kind), Status: corev1.ConditionTrue, Reason: yes, Message: message,
		LastUpdateTime: now, LastTransitionTime: now,
	}
	if !holds {
		c.Status, c.Reason = corev1.ConditionFalse, no
	}
	return c
}

func deploymentCondition(s appsv1.DeploymentStatus, kind appsv1.DeploymentConditionType) *appsv1.DeploymentCondition {
	for i := range s.Conditions {
		if s.Conditions[i].Type == kind {
			return &s.Conditions[i]
		}
	}
	return nil
}

// keepTimes keeps the times of a condition that has not changed. A rollout with progress keeps its new times.
func keepTimes(before appsv1.DeploymentStatus, c appsv1.DeploymentCondition) appsv1.DeploymentCondition {
	last := deploymentCondition(before, c.Type)
	if last == nil {
		return c
	}
	if last.Status == c.Status {
		c.LastTransitionTime = last.LastTransitionTime
	}
	if last.Status == c.Status && last.Reason == c.Reason && (c.Reason != "ReplicaSetUpdated") {
		c.LastUpdateTime = last.LastUpdateTime
	}
	return c
}
