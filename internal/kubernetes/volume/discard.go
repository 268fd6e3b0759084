package volume

import (
	"context"
	"slices"

	"github.com/sluice-cd/sluice"
)

// Discard deletes the generation's claim and volume, and the data if something deletes the data of released volumes.
// When only the current generation is left, it removes every trace of the others from it.
func (v *Volumes) Discard(ctx context.Context, namespace, claim, generation string) error {
	s := v.subject(namespace, claim)
	g, err := s.find(ctx, generation)
	if err != nil {
		return err
	}
	if g.isAbsent() || g.staging != nil && isCut(g.staging) {
		if err := s.drop(ctx, g); err != nil {
			return err
		}
		if err := (snapshot{s, generation}).discard(ctx); err != nil {
			return err
		}
		return group{objects: s.objects, namespace: namespace, generation: generation}.discard(ctx, claim)
	}
	_, current, err := s.current(ctx)
	if err != nil {
		return err
	}
	if current != nil && current.Ref() == g.volume.Ref() {
		return sluice.Errorf(sluice.Conflict, "the generation %s of the claim %s in %s is the current one", generation,
			claim, namespace).WithHint("use another generation first")
	}
	// First, because an interrupted call is repeated only while there is something to discard.
	if err := s.settle(ctx, current, g); err != nil {
		return err
	}
	if err := s.drop(ctx, g); err != nil || !isFromSnapshot(g.staging) {
		return err
	}
	return snapshot{s, generation}.discard(ctx)
}

// settle makes the current volume as it was before there were other generations, unless there are others than g.
func (s subject) settle(ctx context.Context, current sluice.Object, g generation) error {
	if current == nil {
		return nil
	}
	others, err := s.others(ctx, g, current.Ref())
	if err != nil || others {
		return err
	}
	return s.change(ctx, current.Ref(), func(pv sluice.Object) sluice.Object {
		marked := pv.Text("metadata", "labels", ofLabel) == s.label()
		if !marked || hasNote(pv, beforeNote) || !isOf(pv, s.Ref) {
			return nil
		}
		patch := sluice.Object{}
		patch.Set(again(pv), "spec", "persistentVolumeReclaimPolicy")
		patch.Set(nil, "metadata", "labels", ofLabel)
		for _, key := range []string{policyNote, generationNote} {
			patch.Set(nil, "metadata", "annotations", key)
		}
		return patch
	})
}

// others reports whether the claim has more generations than g and the current one.
func (s subject) others(ctx context.Context, g generation, current sluice.Ref) (bool, error) {
	staging, err := s.labelled(ctx, claimRef(s.Namespace, ""), ofLabel+"="+s.label())
	if err != nil {
		return false, err
	}
	if slices.ContainsFunc(staging, func(o sluice.Object) bool { return !isCut(o) && o.Ref() != g.staging.Ref() }) {
		return true, nil
	}
	volumes, err := s.marked(ctx)
	return slices.ContainsFunc(volumes, func(pv sluice.Object) bool {
		return isOf(pv, s.Ref) && pv.Ref() != current && pv.Ref() != g.volume.Ref()
	}), err
}

// isCut reports whether the staging claim is of a copy that a cut made.
func isCut(staging sluice.Object) bool {
	return staging.Field("spec", "dataSource") != nil && !isFromSnapshot(staging)
}

// drop deletes the staging claim and the volume.
func (s subject) drop(ctx context.Context, g generation) error {
	if g.staging != nil {
		if err := s.reclaim(ctx, g.volume); err != nil {
			return err
		}
		if err := s.objects.remove(ctx, g.staging); err != nil {
			return err
		}
	}
	if g.volume == nil {
		return nil
	}
	if note(g.volume, provisionedNote) == "" {
		return s.objects.remove(ctx, g.volume) // nothing else would
	}
	if err := s.reclaim(ctx, g.volume); err != nil {
		return err
	}
	return s.awaitGone(ctx, g.volume)
}

// reclaim lets the provisioner delete the volume, nil for none, once it is released. One that is only reserved counts
// as released when its claim cannot exist.
func (s subject) reclaim(ctx context.Context, volume sluice.Object) error {
	if volume == nil {
		return nil
	}
	return s.change(ctx, volume.Ref(), func(pv sluice.Object) sluice.Object {
		patch := sluice.Object{}
		if policy(pv) != "Delete" {
			patch.Set("Delete", "spec", "persistentVolumeReclaimPolicy")
		}
		if pv.Text("spec", "claimRef", "uid") == "" {
			patch.Set(pv.Text("metadata", "uid"), "spec", "claimRef", "uid")
		}
		if len(patch) == 0 {
			return nil
		}
		return patch
	})
}
