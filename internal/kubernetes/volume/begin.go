package volume

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
)

// fromNote on a staging claim names the kept snapshot with which it begins.
const fromNote = "sluice-cd.github.io/from"

func isFromSnapshot(staging sluice.Object) bool { return note(staging, fromNote) != "" }

// begin lets the staging claim begin with the content of a kept snapshot. A claim can only name a VolumeSnapshot of its
// own namespace, so there is one meanwhile, with a content that has the same handle.
func (s snapshot) begin(ctx context.Context, staging sluice.Object, from string) error {
	kept, err := s.look(ctx, from)
	if err != nil {
		return err
	}
	size, err := sizeOf(staging, nil)
	if err != nil {
		return err
	}
	least := resource.NewQuantity(int64(kept.Number(0, "status", "restoreSize")), resource.BinarySI)
	if least.Cmp(size) > 0 {
		staging.Set(least.String(), "spec", "resources", "requests", "storage")
	}
	if node := note(kept, nodeNote); node != "" && !hasNote(staging, nodeNote) {
		staging.Set(node, "metadata", "annotations", nodeNote)
	}
	ref := s.ref()
	content := reserved(kept, ref.Name+"-"+digest(s.Namespace))
	content.Set(s.label(), "metadata", "labels", ofLabel)
	content.Set(map[string]any{"namespace": ref.Namespace, "name": ref.Name}, "spec", "volumeSnapshotRef")
	if _, _, err := s.create(ctx, content); err != nil {
		return err
	}
	o := s.object(map[string]any{"source": map[string]any{"volumeSnapshotContentName": content.Ref().Name}})
	if _, _, err := s.create(ctx, o); err != nil {
		return err
	}
	staging.Set(from, "metadata", "annotations", fromNote)
	staging.Set(dataSource(ref.Name), "spec", "dataSource")
	// Before, the provisioner would report an error and take longer.
	return s.await(ctx, ref, func(now sluice.Object) bool {
		return now.Field("status", "readyToUse") == true
	}, func(now sluice.Object) string {
		return "to be ready: " + client.OneLine(now.Text("status", "error", "message"))
	})
}

// discard deletes the snapshot and its contents. What the storage has goes too, unless it is kept.
func (s snapshot) discard(ctx context.Context) error {
	o, err := s.get(ctx, s.ref())
	if sluice.ErrorCode(err) == sluice.Unsupported { // the cluster has no snapshots
		return nil
	}
	if err != nil || o != nil && o.Text("metadata", "labels", ofLabel) != s.label() {
		return err
	}
	contents, err := s.contents(ctx, o)
	if err != nil {
		return err
	}
	for _, content := range contents {
		policy, err := s.policyOf(ctx, content)
		if err == nil {
			err = s.change(ctx, content.Ref(), withPolicy(policy))
		}
		if err != nil {
			return err
		}
	}
	if o != nil {
		if err := s.remove(ctx, o); err != nil {
			return err
		}
	}
	for _, content := range contents {
		if content.Text("metadata", "labels", ofLabel) == "" {
			continue // nobody has retained it, so it goes with its snapshot
		}
		if err := s.remove(ctx, content); err != nil {
			return err
		}
	}
	return nil
}

// contents returns those of the snapshot o, nil if it is gone.
func (s snapshot) contents(ctx context.Context, o sluice.Object) ([]sluice.Object, error) {
	list, err := s.labelled(ctx, contentRef(""), ofLabel+"="+s.label())
	if err != nil {
		return nil, err
	}
	bound := o.Text("status", "boundVolumeSnapshotContentName")
	list = slices.DeleteFunc(list, func(c sluice.Object) bool {
		return c.Text("spec", "volumeSnapshotRef", "name") != s.ref().Name || c.Ref().Name == bound
	})
	if bound == "" {
		return list, nil
	}
	content, err := s.get(ctx, contentRef(bound))
	if content != nil {
		list = append(list, content)
	}
	return list, err
}

// policyOf returns the policy with which a content goes. Only the snapshot of a cut that nobody keeps is deleted.
func (s snapshot) policyOf(ctx context.Context, content sluice.Object) (string, error) {
	if content.Text("spec", "source", "snapshotHandle") != "" {
		return retain, nil
	}
	if content.Text("metadata", "labels", ofLabel) == "" { // Keep has not begun
		return reclaimed, nil
	}
	kept, err := s.labelled(ctx, contentRef(""), keptLabel)
	handle, driver := content.Text("status", "snapshotHandle"), content.Text("spec", "driver")
	if slices.ContainsFunc(kept, func(k sluice.Object) bool {
		return k.Text("spec", "source", "snapshotHandle") == handle && k.Text("spec", "driver") == driver &&
			k.Text("metadata", "deletionTimestamp") == ""
	}) {
		return retain, err
	}
	return reclaimed, err
}
