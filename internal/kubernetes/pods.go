package kubernetes

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice"
)

// pageSize is how many objects are asked for at once.
const pageSize = 500

// A pod holds what is kept of a Pod while pods are listed: a list of thousands must not fill the memory.
type pod struct {
	Metadata struct {
		Name              string                  `json:"name"`
		Namespace         string                  `json:"namespace"`
		UID               string                  `json:"uid"`
		ResourceVersion   string                  `json:"resourceVersion"`
		DeletionTimestamp string                  `json:"deletionTimestamp"`
		Labels            map[string]string       `json:"labels"`
		Annotations       map[string]string       `json:"annotations"`
		OwnerReferences   []metav1.OwnerReference `json:"ownerReferences"`
	} `json:"metadata"`
	Spec struct {
		Containers     []container `json:"containers"`
		InitContainers []container `json:"initContainers"`
	} `json:"spec"`
	Status podStatus `json:"status"`
}

type podStatus struct {
	Phase                 corev1.PodPhase          `json:"phase"`
	Reason                string                   `json:"reason"`
	Message               string                   `json:"message"`
	Conditions            []corev1.PodCondition    `json:"conditions"`
	ContainerStatuses     []corev1.ContainerStatus `json:"containerStatuses"`
	InitContainerStatuses []corev1.ContainerStatus `json:"initContainerStatuses"`
}

type container struct {
	Name  string `json:"name"`
	Image string `json:"image"`
}

// Pods lists the replicas in the namespace. Pods that have ended are left out, but for those of Jobs.
func (a *Account) Pods(ctx context.Context, namespace string) ([]sluice.Pod, error) {
	list := []sluice.Pod{}
	replicaSets := false
	err := pages(ctx, a, request{op: "list pods", path: namespaced("v1", namespace, "pods")}, func(page *podPage) {
		for _, p := range page.Items {
			if p.isListed() {
				list = append(list, p.summary())
				replicaSets = replicaSets || p.owner().Kind == "ReplicaSet"
			}
		}
	})
	if err != nil {
		return nil, err
	}
	if replicaSets {
		if err := a.resolveReplicaSets(ctx, namespace, list); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(list, func(a, b sluice.Pod) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return list, nil
}

type podPage struct {
	Metadata metav1.ListMeta `json:"metadata"`
	Items    []pod           `json:"items"`
}

func (p *podPage) next() string { return p.Metadata.Continue }

type ownedPage struct {
	Metadata metav1.ListMeta `json:"metadata"`
	Items    []struct {
		Metadata struct {
			Name            string                  `json:"name"`
			Namespace       string                  `json:"namespace"`
			OwnerReferences []metav1.OwnerReference `json:"ownerReferences"`
		} `json:"metadata"`
	} `json:"items"`
}

func (p *ownedPage) next() string { return p.Metadata.Continue }

// A page is a part of a list.
type page[P any] interface {
	*P
	next() string // the token of the page after it
}

// pages asks for one part of a list after the other.
func pages[P any, PP page[P]](ctx context.Context, a *Account, r request, each func(PP)) error {
	r.query = cloneValues(r.query)
	r.query.Set("limit", strconv.Itoa(pageSize))
	for {
		p := PP(new(P))
		r.into = p
		if err := a.call(ctx, r); err != nil {
			return err
		}
		each(p)
		if p.next() == "" {
			return nil
		}
		r.query.Set("continue", p.next())
	}
}

func cloneValues(v url.Values) url.Values {
	clone := url.Values{}
	for key, values := range v {
		clone[key] = slices.Clone(values)
	}
	return clone
}

// metadataOnly asks the server for nothing but the metadata of what is listed.
const metadataOnly = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

// resolveReplicaSets names the Deployment in the place of its ReplicaSet.
func (a *Account) resolveReplicaSets(ctx context.Context, namespace string, list []sluice.Pod) error {
	type key struct{ namespace, owner string }
	owners := map[key]string{}
	r := request{op: "list replicasets", path: namespaced("apps/v1", namespace, "replicasets"), accept: metadataOnly}
	err := pages(ctx, a, r, func(p *ownedPage) {
		for _, rs := range p.Items {
			if o := controllerOf(rs.Metadata.OwnerReferences); o.Kind != "" {
				owners[key{rs.Metadata.Namespace, "ReplicaSet/" + rs.Metadata.Name}] = o.Kind + "/" + o.Name
			}
		}
	})
	for i := range list {
		if owner, ok := owners[key{list[i].Namespace, list[i].Owner}]; ok {
			list[i].Owner = owner
		}
	}
	return err
}

func controllerOf(owners []metav1.OwnerReference) metav1.OwnerReference {
	for _, o := range owners {
		if o.Controller != nil && *o.Controller {
			return o
		}
	}
	return metav1.OwnerReference{}
}

// owner returns who makes the pod again; a pod that nobody does is its own.
func (p *pod) owner() metav1.OwnerReference {
	if o := controllerOf(p.Metadata.OwnerReferences); o.Kind != "" {
		return o
	}
	return metav1.OwnerReference{Kind: "Pod", Name: p.Metadata.Name}
}

func (p *pod) isListed() bool { return !p.hasEnded() || p.owner().Kind == "Job" }

func (p *pod) hasEnded() bool {
	return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}

func (p *pod) summary() sluice.Pod {
	owner := p.owner()
	s := sluice.Pod{
		Namespace: p.Metadata.Namespace, Name: p.Metadata.Name, Owner: owner.Kind + "/" + owner.Name,
		Image: p.main().Image, Ready: p.isReady(), Reason: p.reason(), Labels: p.Metadata.Labels,
		Revision: cmp.Or(p.Metadata.Labels["pod-template-hash"], p.Metadata.Labels["controller-revision-hash"]),
	}
	for _, c := range p.Status.ContainerStatuses {
		s.Restarts += int(c.RestartCount)
	}
	return s
}

// defaultContainer is the annotation by which a pod with several containers names the one that people mean.
const defaultContainer = "kubectl.kubernetes.io/default-container"

// main is the container that people mean when they name the pod.
func (p *pod) main() container {
	for _, c := range p.Spec.Containers {
		if c.Name == p.Metadata.Annotations[defaultContainer] {
			return c
		}
	}
	if len(p.Spec.Containers) == 0 {
		return container{}
	}
	return p.Spec.Containers[0]
}

func (p *pod) isReady() bool {
	if p.Metadata.DeletionTimestamp != "" || p.hasEnded() {
		return false
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}
