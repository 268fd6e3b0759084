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
	client    *client.Client
	reader    *watch.Reader
	informers *watch.Informers
}

// New returns the host behind a client.
func New(c *client.Client, r *watch.Reader, i *watch.Informers) *Host { return &Host{c, r, i} }

// Pods lists the replicas in the namespace. Pods that have ended are left out, except those of Jobs. To find those of
// few workloads among many pods, it looks at all owners but reads only these pods, and not even the owners if the
// shared watches have the pods by Deployment.
func (h *Host) Pods(ctx context.Context, namespace string, of ...sluice.Ref) ([]sluice.Pod, error) {
	list, ok, err := h.ofDeployments(ctx, of)
	if !ok && err == nil {
		list, err = h.list(ctx, namespace, of)
	}
	slices.SortFunc(list, func(a, b sluice.Pod) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return list, err
}

// ofDeployments returns the pods of workloads that are all Deployments; ok is false if there are others, or none, or if
// the shared watches do not have their pods.
func (h *Host) ofDeployments(ctx context.Context, of []sluice.Ref) (list []sluice.Pod, ok bool, err error) {
	isOther := func(r sluice.Ref) bool { return r.Kind != "Deployment" }
	if len(of) == 0 || slices.ContainsFunc(of, isOther) {
		return nil, false, nil
	}
	r, err := h.client.Find(ctx, "apps/v1", "Deployment")
	if err != nil {
		return nil, false, err
	}
	list, ok = h.informers.PodsOf(ctx, r, of)
	return list, ok, nil
}

// list looks for the pods among all of the namespace.
func (h *Host) list(ctx context.Context, namespace string, of []sluice.Ref) ([]sluice.Pod, error) {
	all, err := h.informers.Pods(ctx, namespace)
	if err != nil {
		return nil, err
	}
	owners := owners{}
	if slices.ContainsFunc(all, func(p *pod.Pod) bool { return p.Owner().Kind == "ReplicaSet" }) {
		if owners, err = h.owners(ctx, namespace, of); err != nil {
			return nil, err
		}
	}
	list := []sluice.Pod{}
	for _, p := range all {
		owner := p.Owner()
		if p.HasEnded() && owner.Kind != "Job" {
			continue
		}
		named := sluice.Pod{Namespace: p.Metadata.Namespace, Owner: owners.of(p.Metadata.Namespace, owner)}
		if !named.IsOf(of) {
			continue
		}
		summary := p.Summary()
		summary.Owner = named.Owner
		list = append(list, summary)
	}
	return list, nil
}

// owners are the Deployments of ReplicaSets, by namespace and name.
type owners map[[2]string]string

// owners returns those that are among the workloads, or all if none is named.
func (h *Host) owners(ctx context.Context, namespace string, workloads []sluice.Ref) (owners, error) {
	sets, err := h.informers.ReplicaSets(ctx, namespace)
	all := owners{}
	for _, rs := range sets {
		for _, o := range rs.List("metadata", "ownerReferences") {
			ref, owner := rs.Ref(), o.Text("kind")+"/"+o.Text("name")
			if o["controller"] == true && (sluice.Pod{Namespace: ref.Namespace, Owner: owner}).IsOf(workloads) {
				all[[2]string{ref.Namespace, ref.Name}] = owner
			}
		}
	}
	return all, err
}

// of returns the workload behind the owner of a pod, as Kind/name.
func (o owners) of(namespace string, owner metav1.OwnerReference) string {
	if owner.Kind == "ReplicaSet" {
		if deployment, ok := o[[2]string{namespace, owner.Name}]; ok {
			return deployment
		}
	}
	return owner.Kind + "/" + owner.Name
}

// pod returns the pod, or NotFound.
func (h *Host) pod(ctx context.Context, namespace, name string) (*pod.Pod, error) {
	p := &pod.Pod{}
	ask := client.Request{Op: "get pod " + name, Path: client.Path("v1", namespace, "pods", name), Into: p}
	return p, h.client.Call(ctx, ask)
}
