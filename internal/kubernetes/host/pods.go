// Package host lists the pods of a cluster, reads their logs, runs commands in them and evicts them. Start at [Host].
package host

import (
	"cmp"
	"context"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
	"github.com/sluice-cd/sluice/internal/kubernetes/pod"
	"github.com/sluice-cd/sluice/internal/kubernetes/watch"
)

// A Host runs the pods of a cluster.
type Host struct {
	client *client.Client
	reader *watch.Reader
}

// New returns the host behind a client.
func New(c *client.Client, r *watch.Reader) *Host { return &Host{c, r} }

// Pods lists the replicas in the namespace. Pods that have ended are left out, except those of Jobs.
func (h *Host) Pods(ctx context.Context, namespace string) ([]sluice.Pod, error) {
	list := []sluice.Pod{}
	replicaSets := false
	ask := client.Request{Op: "list pods", Path: client.Path("v1", namespace, "pods")}
	err := client.Pages(ctx, h.client, ask, func(page *client.List[pod.Pod]) {
		for _, p := range page.Items {
			if owner := p.Owner(); !p.HasEnded() || owner.Kind == "Job" {
				list = append(list, p.Summary())
				replicaSets = replicaSets || owner.Kind == "ReplicaSet"
			}
		}
	})
	if err != nil {
		return nil, err
	}
	if replicaSets {
		if err := h.nameDeployments(ctx, namespace, list); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(list, func(a, b sluice.Pod) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return list, nil
}

// metadataOnly asks the server to list nothing but metadata.
const metadataOnly = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

// nameDeployments replaces ReplicaSets as owners by their Deployments.
func (h *Host) nameDeployments(ctx context.Context, namespace string, list []sluice.Pod) error {
	type owned struct {
		Metadata struct {
			Name            string                  `json:"name"`
			Namespace       string                  `json:"namespace"`
			OwnerReferences []metav1.OwnerReference `json:"ownerReferences"`
		} `json:"metadata"`
	}
	type key struct{ namespace, owner string }
	owners := map[key]string{}
	ask := client.Request{
		Op: "list replicasets", Path: client.Path("apps/v1", namespace, "replicasets"), Accept: metadataOnly,
	}
	err := client.Pages(ctx, h.client, ask, func(page *client.List[owned]) {
		for _, rs := range page.Items {
			if o := pod.Controller(rs.Metadata.OwnerReferences); o.Kind != "" {
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

// pod returns the pod, or NotFound.
func (h *Host) pod(ctx context.Context, namespace, name string) (*pod.Pod, error) {
	p := &pod.Pod{}
	ask := client.Request{Op: "get pod " + name, Path: client.Path("v1", namespace, "pods", name), Into: p}
	return p, h.client.Call(ctx, ask)
}
