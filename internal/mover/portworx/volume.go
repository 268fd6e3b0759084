package portworx

import (
	"context"
	"time"

	"github.com/sluice-cd/sluice"
)

// What happens to a volume when its claim is deleted.
const (
	retain = "Retain"
	remove = "Delete"
)

// attachedTimeout bounds how long a volume may stay attached to a node after its last pod is gone.
const attachedTimeout = 5 * time.Minute

func policyOf(volume sluice.Object) string {
	return volume.Text("spec", "persistentVolumeReclaimPolicy")
}

// reclaim sets the policy of a volume, if it exists.
func reclaim(ctx context.Context, p sluice.Place, ref sluice.Ref, policy string) error {
	now, err := get(ctx, p, ref)
	if err != nil || now == nil || policyOf(now) == policy {
		return err
	}
	want := now.Clone()
	want.Set(policy, "spec", "persistentVolumeReclaimPolicy")
	return overwrite(ctx, p, now, want)
}

// reserve lets only the claim of that name have the volume, whatever claim had it before.
func reserve(ctx context.Context, p sluice.Place, volume sluice.Object, claim sluice.Ref) error {
	now, err := get(ctx, p, volume.Ref())
	if err != nil {
		return err
	}
	if now == nil {
		now = volume
	}
	want := now.Clone()
	want.Set(retain, "spec", "persistentVolumeReclaimPolicy")
	want.Set(map[string]any{
		"apiVersion": claim.APIVersion, "kind": claim.Kind, "namespace": claim.Namespace, "name": claim.Name, "uid": "",
	}, "spec", "claimRef")
	return overwrite(ctx, p, now, want)
}

// overwrite applies the whole object, also where its controllers own the fields: they set them once, and do not insist.
func overwrite(ctx context.Context, p sluice.Place, now, want sluice.Object) error {
	writer := p.Account.ClusterWriter
	if p.Account.Writers != nil {
		var owners []string
		for _, e := range now.List("metadata", "managedFields") {
			owners = append(owners, e.Text("manager"))
		}
		writer, _ = p.Account.Writers.For(sluice.Writing{TakeOver: owners})
	}
	_, _, err := writer.Apply(ctx, want, false)
	return err
}

// detached returns once no node has the volume attached. A pod that is gone may still hold it.
func detached(ctx context.Context, p sluice.Place, volume string, report func(sluice.Progress)) error {
	bounded, cancel := context.WithTimeout(ctx, attachedTimeout)
	defer cancel()
	const api, kind = "storage.k8s.io/v1", "VolumeAttachment"
	look := func() (node string, err error) {
		all, err := p.Account.List(bounded, api, kind, "")
		for _, a := range all {
			if a.Text("spec", "source", "persistentVolumeName") == volume {
				return a.Text("spec", "nodeName"), err
			}
		}
		return "", err
	}
	node, err := look()
	if err != nil || node == "" {
		return err
	}
	report(sluice.Progress{State: sluice.Running, Message: "waiting until the node " + node + " lets go of " + volume})
	for _, err = range p.Account.Watch(bounded, api, kind, "") {
		if err != nil {
			break
		}
		if node, err = look(); err != nil || node == "" {
			return err
		}
	}
	if bounded.Err() != nil && ctx.Err() == nil {
		return sluice.Errorf(sluice.Conflict, "the node %s has kept the volume %s attached for %s", node, volume,
			attachedTimeout).WithHint("see: kubectl get volumeattachments")
	}
	return err
}
