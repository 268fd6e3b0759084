package kubernetes

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// How long something that may pass counts as waiting.
const (
	scheduleGrace = time.Minute      // autoscalers add nodes
	pullGrace     = time.Minute      // registries blip
	configGrace   = 15 * time.Second // kubelets read ConfigMaps and Secrets late
	createGrace   = 20 * time.Second // old pods make room in a quota
	mostPulls     = 3
	mostRestarts  = 3
)

// A hitch is what keeps a pod from being ready.
type hitch struct {
	reason   string // as the kubelet or the scheduler calls it
	text     string // for people
	since    time.Time
	pulls    int // of its image, in vain, as far as anybody saw
	restarts int
}

// hitchOf returns what the pod waits for, the zero hitch if nothing. Its time is the latest at which the wait may
// have begun, as the pod tells it.
func hitchOf(p *pod) hitch {
	text := p.reason()
	if text == "" {
		return hitch{}
	}
	h := hitch{text: text}
	for _, c := range p.Status.Conditions {
		if c.Type != corev1.PodScheduled {
			continue
		}
		h.since = c.LastTransitionTime.Time
		if c.Status == corev1.ConditionFalse {
			h.reason = c.Reason
			return h
		}
	}
	for _, statuses := range [][]corev1.ContainerStatus{p.Status.InitContainerStatuses, p.Status.ContainerStatuses} {
		for _, c := range statuses {
			if h.at(c) {
				return h
			}
		}
	}
	return h
}

// at takes over what the container waits for; otherwise those after it begin to wait when it started or ended.
func (h *hitch) at(c corev1.ContainerStatus) bool {
	if t := c.LastTerminationState.Terminated; t != nil {
		h.later(t.FinishedAt.Time)
	}
	if r := c.State.Running; r != nil {
		h.later(r.StartedAt.Time)
	}
	if t := c.State.Terminated; t != nil {
		h.later(t.FinishedAt.Time)
	}
	w := c.State.Waiting
	if w == nil || w.Reason == "PodInitializing" {
		return false
	}
	h.reason, h.restarts = w.Reason, int(c.RestartCount)
	if h.restarts > 0 {
		h.text += fmt.Sprintf("; restarted %d times", h.restarts)
	}
	return true
}

func (h *hitch) later(t time.Time) {
	if t.After(h.since) {
		h.since = t
	}
}

// isPull reports whether the image cannot be had; the kubelet tells it by turns as an error and as waiting to try again.
func (h hitch) isPull() bool { return h.reason == "ErrImagePull" || h.reason == "ImagePullBackOff" }

// isGrave reports whether the hitch may be one that does not pass.
func (h hitch) isGrave() bool {
	switch h.reason {
	case "", "ContainerCreating", "PodInitializing", "SchedulingGated":
		return false
	}
	return true
}

// stalls reports whether the hitch does not pass by itself, or else after how long it is worth another look; 0: only
// when the pod changes.
func (h hitch) stalls(now time.Time) (bool, time.Duration) {
	switch h.reason {
	case "InvalidImageName", "ErrImageNeverPull":
		return true, 0
	case "ErrImagePull", "ImagePullBackOff":
		if h.pulls >= mostPulls {
			return true, 0
		}
		return lasts(h.since, now, pullGrace)
	case "CreateContainerConfigError", "CreateContainerError":
		return lasts(h.since, now, configGrace)
	case "CrashLoopBackOff":
		return h.restarts >= mostRestarts, 0
	case "RunContainerError":
		return h.restarts >= mostRestarts, 0
	case corev1.PodReasonUnschedulable:
		return lasts(h.since, now, scheduleGrace)
	}
	return false, 0
}

func lasts(since, now time.Time, grace time.Duration) (bool, time.Duration) {
	left := grace - now.Sub(since)
	return left <= 0, max(left, 0)
}

// after returns the hitch with what was seen of the same pod before: how often its image was pulled in vain, and
// since when. That counts from when it was first seen: the pull itself may have taken long.
func (h hitch) after(before hitch, now time.Time) hitch {
	if !h.isPull() {
		return h
	}
	h.since = now
	if before.isPull() {
		h.since, h.pulls = before.since, before.pulls
	}
	if h.reason == "ErrImagePull" && before.reason != "ErrImagePull" || h.pulls == 0 {
		h.pulls++
	}
	return h
}
