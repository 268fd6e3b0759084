package volume

import (
	"cmp"
	"context"
	"slices"

	"github.com/sluice-cd/sluice"
)

const (
	snapshotGroup = "snapshot.storage.k8s.io"
	snapshotKind  = "VolumeSnapshot"
	contentKind   = "VolumeSnapshotContent"
)

// Describe says how each claim could be cut together with the others.
func (v *Volumes) Describe(ctx context.Context, namespace string, claims []string) ([]sluice.ClaimState, error) {
	pods, err := v.mountings(ctx, namespace)
	if err != nil {
		return nil, err
	}
	pods = slices.DeleteFunc(pods, mounting.isBeside)
	classes, err := v.client.List(ctx, snapshotGroup+"/v1", "VolumeSnapshotClass", "")
	if err != nil {
		return nil, err
	}
	list := make([]sluice.ClaimState, len(claims))
	for i, name := range claims {
		claim, volume, err := v.subject(namespace, name).current(ctx)
		if err != nil {
			return nil, err
		}
		if claim == nil {
			return nil, sluice.Errorf(sluice.NotFound, "there is no PersistentVolumeClaim/%s in the namespace %s", name,
				namespace).WithHint("list the claims with: kubectl get pvc --namespace %s", namespace)
		}
		if list[i], err = stateOf(claim, volume, classes); err != nil {
			return nil, err
		}
		if list[i].Users, err = v.usersAmong(ctx, pods, claim.Ref()); err != nil {
			return nil, err
		}
	}
	class, err := v.groupClass(ctx, list)
	for i := range list {
		if class != "" {
			list[i].Way = sluice.CutGroup
		}
	}
	return list, err
}

// stateOf says what the claim and its volume, nil for none, are.
func stateOf(claim, volume sluice.Object, classes []sluice.Object) (sluice.ClaimState, error) {
	size, err := sizeOf(nil, claim)
	state := sluice.ClaimState{
		Claim: claim.Ref().Name, Generation: claim.Text("spec", "volumeName"), Size: size.Value(),
		Class: claim.Text("spec", "storageClassName"), Way: sluice.CutIdle,
		Driver: cmp.Or(volume.Text("spec", "csi", "driver"), note(volume, provisionedNote)),
	}
	switch {
	case volume == nil:
		state.Reason = "the claim is not bound to a volume"
	case volume.Field("spec", "csi") == nil:
		state.Reason = "its volume does not belong to a CSI driver, so it has no snapshots"
	case snapshotClass(classes, state.Driver) == "":
		state.Reason = "the driver " + state.Driver + " has no VolumeSnapshotClass"
	default:
		state.Way = sluice.CutSnapshot
	}
	return state, err
}

// snapshotClass returns the class for snapshots of the driver, "" if there is none.
func snapshotClass(classes []sluice.Object, driver string) string {
	return classOf(classes, driver, "snapshot.storage.kubernetes.io/is-default-class")
}

// classOf returns the class of the driver: the one that the annotation calls the default, if there is one. "" is none.
func classOf(classes []sluice.Object, driver, annotation string) string {
	isDefault := func(o sluice.Object) bool { return note(o, annotation) == "true" }
	own := slices.DeleteFunc(slices.Clone(classes), func(o sluice.Object) bool { return o.Text("driver") != driver })
	if len(own) == 0 {
		return ""
	}
	return own[max(slices.IndexFunc(own, isDefault), 0)].Ref().Name
}
