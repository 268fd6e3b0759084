package volume

import (
	"context"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/sluice-cd/sluice"
)

// Stage creates the staging claim. The volume of a class that waits for its first consumer appears when a pod mounts
// the staging claim. If the claim's volume is bound to a node, the new one is asked for on the same node, since the
// other volumes of the workload's pods are there too.
func (v *Volumes) Stage(
	ctx context.Context, claim sluice.Object, generation, from string,
) (sluice.Volume, error) {
	ref := claim.Ref()
	s := v.subject(ref.Namespace, ref.Name)
	staged := sluice.Volume{Namespace: ref.Namespace, Claim: ref.Name, Generation: generation}
	g, err := s.find(ctx, generation)
	if err != nil {
		return staged, err
	}
	now, volume, err := s.current(ctx)
	if err != nil {
		return staged, err
	}
	if g.staging == nil && g.volume != nil {
		if g.name() == volume.Text("metadata", "name") {
			staged.Mount, staged.Current = ref.Name, true
		}
		return staged, nil
	}
	staged.Mount = s.staging(generation).Name
	if g.isAbsent() {
		if err := s.stage(ctx, claim, now, snapshot{s, generation}, from); err != nil {
			return staged, err
		}
	}
	return staged, s.protect(ctx, volume)
}

// stage creates the staging claim of a claim that is now as given, nil if it does not exist.
func (s subject) stage(ctx context.Context, claim, now sluice.Object, next snapshot, from string) error {
	if class, ok := claim.Field("spec", "storageClassName").(string); ok && class == "" {
		return sluice.Errorf(sluice.Unsupported, "the claim %s has no storage class, so nothing makes a new volume for it",
			s.Name).WithHint("give the claim a storage class")
	}
	size, err := sizeOf(claim, now)
	if err != nil {
		return err
	}
	staging := s.beside(claim, next.generation)
	staging.Set(size.String(), "spec", "resources", "requests", "storage")
	if err := s.place(ctx, staging, now); err != nil {
		return err
	}
	if from != "" {
		if err := next.begin(ctx, staging, from); err != nil {
			return err
		}
	}
	_, isTaken, err := s.create(ctx, staging)
	if isTaken {
		return sluice.Errorf(sluice.Conflict, "the claim %s in %s is in the way, and is not Sluice's",
			staging.Ref().Name, s.Namespace).WithHint("delete it, or give it another name")
	}
	return err
}

// beside returns a claim for another volume of the same kind.
func (s subject) beside(claim sluice.Object, generation string) sluice.Object {
	ref := s.staging(generation)
	o := sluice.Object{"apiVersion": ref.APIVersion, "kind": ref.Kind, "metadata": map[string]any{
		"name": ref.Name, "namespace": ref.Namespace,
		"labels":      map[string]any{ofLabel: s.label(), managedLabel: sluice.Manager},
		"annotations": map[string]any{generationNote: generation, claimNote: s.Name},
	}}
	for _, field := range []string{"accessModes", "storageClassName", "volumeMode", "volumeAttributesClassName"} {
		if value := claim.Field("spec", field); value != nil {
			o.Set(value, "spec", field)
		}
	}
	return o
}

// sizeOf returns the size that the claim asks for, or that it has if that is more.
func sizeOf(claim, now sluice.Object) (resource.Quantity, error) {
	var size resource.Quantity
	for _, text := range []string{
		claim.Text("spec", "resources", "requests", "storage"), now.Text("status", "capacity", "storage"),
	} {
		if text == "" {
			continue
		}
		q, err := resource.ParseQuantity(text)
		if err != nil {
			return size, sluice.Errorf(sluice.Invalid, "the claim %s asks for %q: %w", claim.Ref().Name, text, err)
		}
		if q.Cmp(size) > 0 {
			size = q
		}
	}
	return size, nil
}

// place asks for a volume on the node of the claim's volume, if that one is bound to nodes.
func (s subject) place(ctx context.Context, staging, now sluice.Object) error {
	volume, err := s.volumeOf(ctx, now)
	if err != nil || volume.Field("spec", "nodeAffinity", "required") == nil {
		return err
	}
	class, err := s.get(ctx, sluice.Ref{APIVersion: "storage.k8s.io/v1", Kind: "StorageClass",
		Name: now.Text("spec", "storageClassName")})
	if err != nil || class.Text("volumeBindingMode") != "WaitForFirstConsumer" {
		return err // other classes do not look at the node
	}
	pods, err := s.mountings(ctx, s.Namespace)
	if err != nil {
		return err
	}
	node := nodeOf(pods, s.Name)
	if node == "" {
		node = note(now, nodeNote)
	}
	if node != "" {
		staging.Set(node, "metadata", "annotations", nodeNote)
	}
	return nil
}

// protect lets the volume, nil for none, outlive its claim. What its policy was is kept on it.
func (s subject) protect(ctx context.Context, volume sluice.Object) error {
	if volume == nil {
		return nil
	}
	return s.change(ctx, volume.Ref(), func(pv sluice.Object) sluice.Object {
		if !isOf(pv, s.Ref) || hasNote(pv, policyNote) && policy(pv) == retain {
			return nil
		}
		return s.retained(pv, policy(pv))
	})
}

// retained is the change that lets a volume outlive its claim until it gets the policy again. A policy that is kept
// already stays.
func (s subject) retained(pv sluice.Object, again string) sluice.Object {
	if kept := note(pv, policyNote); kept != "" {
		again = kept
	}
	patch := sluice.Object{}
	patch.Set(s.label(), "metadata", "labels", ofLabel)
	patch.Set(again, "metadata", "annotations", policyNote)
	patch.Set(retain, "spec", "persistentVolumeReclaimPolicy")
	return patch
}
