// Package pod reads Pods: whose they are, whether they are ready, and if not, why. It contacts no cluster. Start at
// [Pod].
package pod

import (
	"cmp"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice"
)

// A Pod holds the part of a Pod that is kept, so that a list of thousands does not fill the memory.
type Pod struct {
	Metadata struct {
		Name              string                  `json:"name"`
		Namespace         string                  `json:"namespace"`
		UID               string                  `json:"uid"`
		ResourceVersion   string                  `json:"resourceVersion"`
		DeletionTimestamp string                  `json:"deletionTimestamp"`
		CreationTimestamp metav1.Time             `json:"creationTimestamp"`
		Labels            map[string]string       `json:"labels"`
		Annotations       map[string]string       `json:"annotations"`
		OwnerReferences   []metav1.OwnerReference `json:"ownerReferences"`
	} `json:"metadata"`
	Spec struct {
		NodeName   string      `json:"nodeName"`
		Containers []Container `json:"containers"`
	} `json:"spec"`
	Status struct {
		Phase                 corev1.PodPhase          `json:"phase"`
		Reason                string                   `json:"reason"`
		Message               string                   `json:"message"`
		Conditions            []corev1.PodCondition    `json:"conditions"`
		ContainerStatuses     []corev1.ContainerStatus `json:"containerStatuses"`
		InitContainerStatuses []corev1.ContainerStatus `json:"initContainerStatuses"`
	} `json:"status"`
}

// Of returns the part of the Pod that is kept.
func Of(o *corev1.Pod) Pod {
	var p Pod
	m := &p.Metadata
	m.Name, m.Namespace, m.UID, m.ResourceVersion = o.Name, o.Namespace, string(o.UID), o.ResourceVersion
	m.CreationTimestamp, m.Labels, m.Annotations = o.CreationTimestamp, o.Labels, o.Annotations
	m.OwnerReferences = o.OwnerReferences
	if t := o.DeletionTimestamp; t != nil {
		m.DeletionTimestamp = t.UTC().Format(time.RFC3339)
	}
	p.Spec.NodeName = o.Spec.NodeName
	for _, c := range o.Spec.Containers {
		p.Spec.Containers = append(p.Spec.Containers, Container{c.Name, c.Image})
	}
	s := &p.Status
	s.Phase, s.Reason, s.Message, s.Conditions = o.Status.Phase, o.Status.Reason, o.Status.Message, o.Status.Conditions
	s.ContainerStatuses, s.InitContainerStatuses = o.Status.ContainerStatuses, o.Status.InitContainerStatuses
	return p
}

// A Container is the part of a container that is kept.
type Container struct {
	Name  string `json:"name"`
	Image string `json:"image"`
}

// Controller returns the owner that manages the object, the zero reference if there is none.
func Controller(owners []metav1.OwnerReference) metav1.OwnerReference {
	for _, o := range owners {
		if o.Controller != nil && *o.Controller {
			return o
		}
	}
	return metav1.OwnerReference{}
}

// Owner returns the controller of the pod. A pod without one is its own owner.
func (p *Pod) Owner() metav1.OwnerReference {
	if o := Controller(p.Metadata.OwnerReferences); o.Kind != "" {
		return o
	}
	return metav1.OwnerReference{Kind: "Pod", Name: p.Metadata.Name}
}

// HasEnded reports whether no container of the pod will run again.
func (p *Pod) HasEnded() bool {
	return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}

// IsReady reports whether the pod is ready and not being deleted.
func (p *Pod) IsReady() bool {
	if p.Metadata.DeletionTimestamp != "" || p.HasEnded() {
		return false
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// defaultContainer is the annotation that names the main one of several containers.
const defaultContainer = "kubectl.kubernetes.io/default-container"

// Main returns the container that people mean when they name the pod.
func (p *Pod) Main() Container {
	for _, c := range p.Spec.Containers {
		if c.Name == p.Metadata.Annotations[defaultContainer] {
			return c
		}
	}
	if len(p.Spec.Containers) == 0 {
		return Container{}
	}
	return p.Spec.Containers[0]
}

// Summary returns the pod as Sluice shows it. Its owner is the controller, such as a ReplicaSet.
func (p *Pod) Summary() sluice.Pod {
	owner := p.Owner()
	return sluice.Pod{
		Namespace: p.Metadata.Namespace, Name: p.Metadata.Name, Owner: owner.Kind + "/" + owner.Name,
		Image: p.Main().Image, Ready: p.IsReady(), Reason: p.Reason(), Labels: p.Metadata.Labels,
		Revision: cmp.Or(p.Metadata.Labels["pod-template-hash"], p.Metadata.Labels["controller-revision-hash"]),
		Restarts: p.Restarts(), LastEnd: p.LastEnd(),
		Ending: p.Metadata.DeletionTimestamp != "", Created: p.Metadata.CreationTimestamp.Time,
	}
}

// Restarts counts those of all containers, init containers and sidecars included.
func (p *Pod) Restarts() int {
	n := 0
	for _, c := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		n += int(c.RestartCount)
	}
	return n
}

// Object returns the part of the pod that decides whether a Service sends traffic to it, and its owners.
func (p *Pod) Object() sluice.Object {
	labels := make(map[string]any, len(p.Metadata.Labels))
	for key, value := range p.Metadata.Labels {
		labels[key] = value
	}
	o := sluice.Object{"metadata": map[string]any{"name": p.Metadata.Name, "labels": labels}}
	if p.Metadata.DeletionTimestamp != "" {
		o.Set(p.Metadata.DeletionTimestamp, "metadata", "deletionTimestamp")
	}
	var owners []any
	for _, owner := range p.Metadata.OwnerReferences {
		controls := owner.Controller != nil && *owner.Controller
		owners = append(owners, map[string]any{"uid": string(owner.UID), "controller": controls})
	}
	o.Set(owners, "metadata", "ownerReferences")
	var conditions []any
	for _, c := range p.Status.Conditions {
		conditions = append(conditions, map[string]any{"type": string(c.Type), "status": string(c.Status)})
	}
	o.Set(string(p.Status.Phase), "status", "phase")
	o.Set(conditions, "status", "conditions")
	return o
}
