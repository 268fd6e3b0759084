package agent

import (
	"fmt"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// A tally is a Job's pods, counted.
type tally struct {
	entry             *entry
	job               *batchv1.Job
	status            batchv1.JobStatus
	active            []*pod
	succeeded, failed int
	lastFailure       time.Time
	now               time.Time
}

// reconcileJob counts ended pods by their records, which stay until the Job is deleted, so no pod is counted twice.
func (a *Agent) reconcileJob(e *entry) (time.Time, error) {
	status, err := statusOf[batchv1.JobStatus](e)
	if err != nil {
		return time.Time{}, err
	}
	t := &tally{entry: e, job: e.typed.(*batchv1.Job), status: status, now: time.Now()}
	if t.finished() {
		return a.expire(t)
	}
	a.count(t)
	next, err := a.advanceJob(t)
	if err != nil {
		return time.Time{}, err
	}
	return next, a.store.setStatus(e, t.status)
}

func (a *Agent) count(t *tally) {
	t.active, t.succeeded, t.failed, t.lastFailure = nil, 0, 0, time.Time{}
	t.status.Ready = new(int32)
	for _, p := range a.podsOf(t.entry.uid()) {
		switch {
		case p.Phase == corev1.PodSucceeded:
			t.succeeded++
		case p.Phase == corev1.PodFailed:
			t.failed++
			t.lastFailure = p.EndedAt
		default:
			t.active = append(t.active, p)
			if t.job.Spec.Template.Spec.RestartPolicy == corev1.RestartPolicyOnFailure {
				t.failed += p.restarts()
			}
			if p.ready() {
				*t.status.Ready++
			}
		}
	}
	t.status.Active, t.status.Succeeded, t.status.Failed = int32(len(t.active)), int32(t.succeeded), int32(t.failed)
}

func (t *tally) finished() bool {
	return t.has(batchv1.JobComplete) || t.has(batchv1.JobFailed)
}

func (t *tally) has(kind batchv1.JobConditionType) bool {
	return slices.ContainsFunc(t.status.Conditions, func(c batchv1.JobCondition) bool {
		return c.Type == kind && c.Status == corev1.ConditionTrue
	})
}

func (t *tally) note(kind batchv1.JobConditionType, status corev1.ConditionStatus, reason, message string) {
	now := metav1.Time{Time: t.now}
	t.status.Conditions = append(t.status.Conditions, batchv1.JobCondition{
		Type: kind, Status: status, Reason: reason, Message: message, LastProbeTime: now, LastTransitionTime: now,
	})
}

func (a *Agent) advanceJob(t *tally) (time.Time, error) {
	spec := t.job.Spec
	suspended := ptr.Deref(spec.Suspend, false)
	t.suspended(suspended)
	if suspended {
		t.status.StartTime = nil
		return time.Time{}, a.stopAll(t.active, "the Job is suspended")
	}
	if t.status.StartTime == nil {
		t.status.StartTime = &metav1.Time{Time: t.now}
	}
	completions := int(ptr.Deref(spec.Completions, 1))
	limit := int(ptr.Deref(spec.BackoffLimit, 6))
	deadline := time.Time{}
	if s := spec.ActiveDeadlineSeconds; s != nil {
		deadline = t.status.StartTime.Add(time.Duration(*s) * time.Second)
	}
	switch {
	case t.succeeded >= completions:
		return t.finish(batchv1.JobComplete, "CompletionsReached",
			fmt.Sprintf("%d of %d pods succeeded", t.succeeded, completions)), a.stopAll(t.active, "the Job is complete")
	case t.failed > limit:
		return t.finish(batchv1.JobFailed, "BackoffLimitExceeded",
			fmt.Sprintf("it exceeded its backoffLimit of %d%s", limit, t.lastWords())), a.stopAll(t.active, "the Job failed")
	case !deadline.IsZero() && !deadline.After(t.now):
		return t.finish(batchv1.JobFailed, "DeadlineExceeded", "the Job was active for longer than activeDeadlineSeconds"),
			a.stopAll(t.active, "the Job's deadline")
	}
	next, err := a.startJobPods(t, completions)
	if next.IsZero() || !deadline.IsZero() && deadline.Before(next) {
		next = deadline
	}
	return next, err
}

// suspended notes whether the Job is suspended. A Job that never was has no such condition.
func (t *tally) suspended(is bool) {
	if is == t.has(batchv1.JobSuspended) {
		return
	}
	t.status.Conditions = nil // a Job that has not ended has no other condition
	if is {
		t.note(batchv1.JobSuspended, corev1.ConditionTrue, "JobSuspended", "the Job is suspended")
		return
	}
	t.note(batchv1.JobSuspended, corev1.ConditionFalse, "JobResumed", "the Job is resumed")
}

// lastWords says how the last pod failed that may be stopped now, "" if all failed pods are kept.
func (t *tally) lastWords() string {
	for _, p := range slices.Backward(t.active) {
		if p.restarts() > 0 {
			return "; pod " + p.Name + ": " + p.why()
		}
	}
	return ""
}

// startJobPods starts the missing pods; after a failure only when its backoff is over.
func (a *Agent) startJobPods(t *tally, completions int) (time.Time, error) {
	missing := min(int(ptr.Deref(t.job.Spec.Parallelism, 1)), completions-t.succeeded) - len(t.active)
	if missing <= 0 {
		return time.Time{}, nil
	}
	if t.failed > 0 {
		again := t.lastFailure.Add(min(firstBackoff<<min(t.failed-1, 10), lastBackoff))
		if again.After(t.now) {
			return again, nil
		}
	}
	for range missing {
		r := recordOf(t.job.Spec.Template, owner{"Job", t.job.Name, t.entry.uid()}, t.job.Namespace)
		r.Name = t.job.Name + "-" + suffix()
		r.Labels["job-name"], r.Labels["batch.kubernetes.io/job-name"] = t.job.Name, t.job.Name
		r.Labels["controller-uid"], r.Labels["batch.kubernetes.io/controller-uid"] = t.entry.uid(), t.entry.uid()
		if _, err := a.create(r); err != nil {
			return time.Time{}, err
		}
	}
	a.count(t)
	return time.Time{}, nil
}

func (t *tally) finish(kind batchv1.JobConditionType, reason, message string) time.Time {
	if kind == batchv1.JobComplete {
		t.status.CompletionTime = &metav1.Time{Time: t.now}
	}
	t.status.Active, t.status.Ready = 0, new(int32)
	t.note(kind, corev1.ConditionTrue, reason, message)
	return t.now // look again at once: for ttlSecondsAfterFinished
}

// expire deletes a finished Job when its ttlSecondsAfterFinished is over.
func (a *Agent) expire(t *tally) (time.Time, error) {
	ttl := t.job.Spec.TTLSecondsAfterFinished
	if ttl == nil {
		return time.Time{}, nil
	}
	last := t.status.Conditions[len(t.status.Conditions)-1].LastTransitionTime
	at := last.Add(time.Duration(*ttl) * time.Second)
	if at.After(t.now) {
		return at, nil
	}
	return time.Time{}, a.markDeleting(t.entry)
}
