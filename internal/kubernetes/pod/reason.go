package pod

import (
	"cmp"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-cd/sluice/internal/kubernetes/client"
)

// Reason says why the pod is not ready, as the end of a sentence; "" if it is ready.
func (p *Pod) Reason() string {
	switch {
	case p.IsReady() || p.Status.Phase == corev1.PodSucceeded:
		return ""
	case p.Metadata.DeletionTimestamp != "":
		return p.lastFailure() + "it is ending" + p.onNode()
	case p.Status.Phase == corev1.PodFailed:
		return p.failure()
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return sentence("no node takes it", c.Message)
		}
	}
	if why := p.waits(p.Status.InitContainerStatuses, "init container "); why != "" {
		return why
	}
	if why := p.waits(p.Status.ContainerStatuses, "container "); why != "" {
		return why
	}
	return p.unready()
}

// lastFailure says how a container ended that is being ended now. When a Job fails, its controller deletes its pods.
func (p *Pod) lastFailure() string {
	for _, c := range p.Status.ContainerStatuses {
		if t := cmp.Or(c.LastTerminationState.Terminated, c.State.Terminated); t != nil && t.ExitCode != 0 {
			return ending(p.label("container ", c.Name), t) + "; "
		}
	}
	return ""
}

func (p *Pod) failure() string {
	if p.Status.Reason != "" {
		return sentence(p.Status.Reason, p.Status.Message)
	}
	for _, c := range append(p.Status.InitContainerStatuses, p.Status.ContainerStatuses...) {
		if t := c.State.Terminated; t != nil && t.ExitCode != 0 {
			return ending(p.label("container ", c.Name), t)
		}
	}
	return sentence("it failed", p.Status.Message)
}

// waits returns why the first container that does not run waits or has ended.
func (p *Pod) waits(statuses []corev1.ContainerStatus, kind string) string {
	for _, c := range statuses {
		label := kind + c.Name + ": "
		if kind == "container " {
			label = p.label(kind, c.Name)
		}
		if w := c.State.Waiting; w != nil && w.Reason != "PodInitializing" {
			if last := c.LastTerminationState.Terminated; last != nil && w.Reason == "CrashLoopBackOff" {
				return ending(label+w.Reason+": ", last)
			}
			return sentence(label+cmp.Or(w.Reason, "it waits"), w.Message)
		}
		if t := c.State.Terminated; t != nil && t.ExitCode != 0 {
			return ending(label, t)
		}
	}
	return ""
}

// LastEnd says how the container that was restarted last had ended, as a sentence; "" if none was.
func (p *Pod) LastEnd() string {
	var last *corev1.ContainerStateTerminated
	text := ""
	later := func(c corev1.ContainerStatus, label string) {
		t := c.LastTerminationState.Terminated
		if t != nil && (last == nil || t.FinishedAt.After(last.FinishedAt.Time)) {
			last, text = t, ending(label, t)
		}
	}
	for _, c := range p.Status.InitContainerStatuses {
		later(c, "init container "+c.Name+": ")
	}
	for _, c := range p.Status.ContainerStatuses {
		later(c, p.label("container ", c.Name))
	}
	return text
}

// label names the container if the pod has several.
func (p *Pod) label(kind, name string) string {
	if len(p.Spec.Containers) <= 1 {
		return ""
	}
	return kind + name + ": "
}

func (p *Pod) unready() string {
	for _, c := range p.Status.InitContainerStatuses {
		if c.State.Running != nil && c.Started != nil && !*c.Started {
			return "init container " + c.Name + " runs"
		}
	}
	for _, c := range p.Status.ContainerStatuses {
		if c.State.Running != nil && !c.Ready {
			return p.label("container ", c.Name) + "it runs, and its readiness probe does not succeed yet"
		}
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady && c.Reason == "ReadinessGatesNotReady" {
			return sentence("a readiness gate does not hold yet", c.Message)
		}
	}
	if p.isForgotten() {
		return "its node " + p.Spec.NodeName + " does not answer"
	}
	return "it is starting" + p.onNode()
}

// isForgotten reports whether the cluster took the readiness from the pod although all of its containers had it. It
// does so when it hears nothing of the node.
func (p *Pod) isForgotten() bool {
	for _, c := range p.Status.ContainerStatuses {
		if !c.Ready {
			return false
		}
	}
	return len(p.Status.ContainerStatuses) > 0 && p.Spec.NodeName != ""
}

func (p *Pod) onNode() string {
	if p.Spec.NodeName == "" {
		return ""
	}
	return " on the node " + p.Spec.NodeName
}

func ending(label string, t *corev1.ContainerStateTerminated) string {
	if t.Reason == "OOMKilled" {
		return label + "it was killed for using more memory than its limit"
	}
	why := fmt.Sprintf("%sit ended with status %d", label, t.ExitCode)
	if t.Reason != "" && t.Reason != "Error" && t.Reason != "Completed" {
		why += " (" + t.Reason + ")"
	}
	return sentence(why, t.Message)
}

// sentence adds a message of the cluster.
func sentence(what, message string) string {
	if message = client.OneLine(message); message == "" {
		return what
	}
	return what + ": " + message
}
