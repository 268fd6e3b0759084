package volume

import (
	"context"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
	"github.com/sluice-cd/sluice/internal/kubernetes/pod"
)

// A mounting is the part of a Pod that says which claims it uses. A pod that has ended, but exists, uses them too: its
// claims are not deleted before it is.
type mounting struct {
	pod.Pod
	Spec struct {
		NodeName string `json:"nodeName"`
		Volumes  []struct {
			Name  string `json:"name"`
			Claim struct {
				Name string `json:"claimName"`
			} `json:"persistentVolumeClaim"`
			Ephemeral *struct{} `json:"ephemeral"`
		} `json:"volumes"`
	} `json:"spec"`
}

func (m mounting) uses(claim string) bool {
	for _, v := range m.Spec.Volumes {
		if v.Claim.Name == claim || v.Ephemeral != nil && m.Metadata.Name+"-"+v.Name == claim {
			return true
		}
	}
	return false
}

// isBeside reports whether the pod is one of Sluice's own, which reads the volume beside its users and writes nothing.
func (m mounting) isBeside() bool { return m.Metadata.Labels[sluice.WorkLabel] != "" }

// mountings returns the pods of the namespace that use a claim.
func (c objects) mountings(ctx context.Context, namespace string) ([]mounting, error) {
	var all []mounting
	err := client.Pages(ctx, c.client, client.Request{Op: "list pods", Path: client.Path("v1", namespace, "pods")},
		func(page *client.List[mounting]) {
			for _, m := range page.Items {
				if len(m.Spec.Volumes) > 0 {
					all = append(all, m)
				}
			}
		})
	return all, err
}

// usersAmong returns the workloads whose pods use the claim, as Kind/name, sorted.
func (c objects) usersAmong(ctx context.Context, all []mounting, claim sluice.Ref) ([]string, error) {
	var list []string
	for _, m := range all {
		if !m.uses(claim.Name) {
			continue
		}
		workload, err := c.workload(ctx, claim.Namespace, m.Owner())
		if err != nil {
			return nil, err
		}
		if !slices.Contains(list, workload) {
			list = append(list, workload)
		}
	}
	slices.Sort(list)
	return list, nil
}

// workload returns the owner, or the Deployment behind it.
func (c objects) workload(ctx context.Context, namespace string, owner metav1.OwnerReference) (string, error) {
	direct := owner.Kind + "/" + owner.Name
	if owner.Kind != "ReplicaSet" {
		return direct, nil
	}
	set, err := c.get(ctx, sluice.Ref{APIVersion: "apps/v1", Kind: "ReplicaSet", Namespace: namespace, Name: owner.Name})
	if err != nil {
		return "", err
	}
	for _, o := range set.List("metadata", "ownerReferences") {
		if o["controller"] == true {
			return o.Text("kind") + "/" + o.Text("name"), nil
		}
	}
	return direct, nil
}

// nodeOf returns the node of a pod that uses the claim, "" if none is placed.
func nodeOf(all []mounting, claim string) string {
	for _, m := range all {
		if m.uses(claim) && m.Spec.NodeName != "" {
			return m.Spec.NodeName
		}
	}
	return ""
}
