package watch

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-cd/sluice/internal/kubernetes/pod"
)

// How long a pod may wait for something before the wait counts as permanent, and how often it may try.
const (
	scheduleGrace = time.Minute      // autoscalers add nodes
	pullGrace     = time.Minute      // registries fail for a moment
	configGrace   = 15 * time.Second // kubelets read ConfigMaps and Secrets late
	createGrace   = 20 * time.Second // old pods make room in a quota
	maxPulls      = 3
	maxRestarts   = 3
)

// A wait is what keeps a pod from being ready.
type wait struct {
	reason   string // of the kubelet or the scheduler
	text     string // for people
	since    time.Time
	pulls    int // failed pulls of the image that were seen
	restarts int
}

// waitOf returns why the pod waits, the zero wait if it does not. As far as the pod shows, the wait began no later
// than since.
func waitOf(p *pod.Pod) wait {
	text := p.Reason()
	if text == "" {
		return wait{}
	}
	w := wait{text: text}
	for _, c := range p.Status.Conditions {
		if c.Type != corev1.PodScheduled {
			continue
		}
		w.since = c.LastTransitionTime.Time
		if c.Status == corev1.ConditionFalse {
			w.reason = c.Reason
			return w
		}
	}
	for _, statuses := range [][]corev1.ContainerStatus{p.Status.InitContainerStatuses, p.Status.ContainerStatuses} {
		for _, c := range statuses {
			if w.isFor(c) {
				return w
			}
		}
	}
	return w
}

// isFor takes the reason of a container that waits. Otherwise the containers after it wait since this one started or
// ended.
func (w *wait) isFor(c corev1.ContainerStatus) bool {
	if t := c.LastTerminationState.Terminated; t != nil {
		w.startsAfter(t.FinishedAt.Time)
	}
	if r := c.State.Running; r != nil {
		w.startsAfter(r.StartedAt.Time)
	}
	if t := c.State.Terminated; t != nil {
		w.startsAfter(t.FinishedAt.Time)
	}
	s := c.State.Waiting
	if s == nil || s.Reason == "PodInitializing" {
		return false
	}
	w.reason, w.restarts = s.Reason, int(c.RestartCount)
	if w.restarts > 0 {
		w.text += fmt.Sprintf("; restarted %d times", w.restarts)
	}
	return true
}

func (w *wait) startsAfter(t time.Time) {
	if t.After(w.since) {
		w.since = t
	}
}

// isPull reports whether the image cannot be pulled. The kubelet reports an error and a pause by turns.
func (w wait) isPull() bool { return w.reason == "ErrImagePull" || w.reason == "ImagePullBackOff" }

// mayBePermanent reports whether the reason is one that may not pass.
func (w wait) mayBePermanent() bool {
	return !slices.Contains([]string{"", "ContainerCreating", "PodInitializing", "SchedulingGated"}, w.reason)
}

// isPermanent reports whether the wait will not end by itself. If that is not certain yet, it returns after how long
// to look again; 0: only if the pod changes.
func (w wait) isPermanent(now time.Time) (bool, time.Duration) {
	switch w.reason {
	case "InvalidImageName", "ErrImageNeverPull":
		return true, 0
	case "ErrImagePull", "ImagePullBackOff":
		if w.pulls >= maxPulls {
			return true, 0
		}
		return hasPassed(w.since, now, pullGrace)
	case "CreateContainerConfigError", "CreateContainerError":
		return hasPassed(w.since, now, configGrace)
	case "CrashLoopBackOff", "RunContainerError":
		return w.restarts >= maxRestarts, 0
	case corev1.PodReasonUnschedulable:
		return hasPassed(w.since, now, scheduleGrace)
	}
	return false, 0
}

// hasPassed reports whether the grace is over, and how much of it is left.
func hasPassed(since, now time.Time, grace time.Duration) (bool, time.Duration) {
	left := grace - now.Sub(since)
	return left <= 0, max(left, 0)
}

// after returns the wait with what was seen of the same pod before: how often its image could not be pulled, and since
// when. That time begins with the first failure that was seen, since the pull itself may have taken long.
func (w wait) after(before wait, now time.Time) wait {
	if !w.isPull() {
		return w
	}
	w.since = now
	if before.isPull() {
		w.since, w.pulls = before.since, before.pulls
	}
	if w.reason == "ErrImagePull" && before.reason != "ErrImagePull" || w.pulls == 0 {
		w.pulls++
	}
	return w
}
