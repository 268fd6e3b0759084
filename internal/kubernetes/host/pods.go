// Package host lists the pods of a cluster, reads their logs, runs commands in them and evicts them. Start at [Host].
package host

import (
	"cmp"
	"context"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
	"github.com/sluice-cd/sluice/internal/kubernetes/pod"
	"github.com/sluice-cd/sluice/internal/kubernetes/watch"
)

// A Host runs the pods of a cluster.
type Host struct {
	client    *client.Client
	reader    *watch.Reader
	informers *watch.Informers
}

// New returns the host behind a client.
func New(c *client.Client, r *watch.Reader, i *watch.Informers) *Host { return &Host{c, r, i} }

// Pods lists the replicas in the namespace. Pods that have ended are left out, except those of Jobs.
func (h *Host) Pods(ctx context.Context, namespace string) ([]sluice.Pod, error) {
	all, err := h.informers.Pods(ctx, namespace)
	if err != nil {
		return nil, err
	}
	list := []sluice.Pod{}
	replicaSets := false
	for _, p := range all {
		if owner := p.Owner(); !p.HasEnded() || owner.Kind == "Job" {
			list = append(list, p.Summary())
			replicaSets = replicaSets || owner.Kind == "ReplicaSet"
		}
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

// nameDeployments replaces ReplicaSets as owners by their Deployments.
func (h *Host) nameDeployments(ctx context.Context, namespace string, list []sluice.Pod) error {
	type key struct{ namespace, owner string }
	owners := map[key]string{}
	sets, err := h.informers.ReplicaSets(ctx, namespace)
	for _, rs := range sets {
		for _, o := range rs.List("metadata", "ownerReferences") {
			if o["controller"] == true {
				ref := rs.Ref()
				owners[key{ref.Namespace, "ReplicaSet/" + ref.Name}] = o.Text("kind") + "/" + o.Text("name")
			}
		}
	}
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
