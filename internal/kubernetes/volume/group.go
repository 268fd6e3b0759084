package volume

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
)

const (
	groupGroup = "groupsnapshot.storage.k8s.io"
	// inGroup begins the label of claims that a group takes. Each cut has a label of its own, so that two can be made at
	// once; what there is to take off again follows from the name of the generation.
	inGroup = "sluice-cd.github.io/cut-"
	// look is the pause between two looks at the snapshots of a group, which appear one after another.
	look = 200 * time.Millisecond
)

// groupVersions are the versions of the API that this package can use, the best first.
var groupVersions = []string{groupGroup + "/v1", groupGroup + "/v1beta2", groupGroup + "/v1beta1"}

// groupVersion returns the best version that the cluster serves, "" if it has no snapshots of groups.
func (c objects) groupVersion(ctx context.Context) (string, error) {
	for _, version := range groupVersions {
		_, err := c.client.Find(ctx, version, "VolumeGroupSnapshotClass")
		if err == nil {
			return version, nil
		}
		if sluice.ErrorCode(err) != sluice.Unsupported {
			return "", err
		}
	}
	return "", nil
}

// groupClass returns the class for one snapshot of all the claims, "" if they cannot have one.
func (c objects) groupClass(ctx context.Context, states []sluice.ClaimState) (string, error) {
	if len(states) < 2 || slices.ContainsFunc(states, func(s sluice.ClaimState) bool {
		return s.Way == sluice.CutIdle || s.Driver != states[0].Driver
	}) {
		return "", nil
	}
	version, err := c.groupVersion(ctx)
	if err != nil || version == "" {
		return "", err
	}
	classes, err := c.client.List(ctx, version, "VolumeGroupSnapshotClass", "")
	return classOf(classes, states[0].Driver, "groupsnapshot.storage.kubernetes.io/is-default-class"), err
}

// A group is one snapshot of several claims. It chooses them by a label, which they have while it is taken.
type group struct {
	objects
	version, namespace, generation string
	claims                         []string
}

func (g group) ref() sluice.Ref {
	return sluice.Ref{APIVersion: g.version, Kind: "VolumeGroupSnapshot", Namespace: g.namespace,
		Name: "cut-" + digest(g.generation)}
}

func (g group) label() string { return inGroup + digest(g.generation) }

// together takes one snapshot of all claims, and returns the part of each.
func (v *Volumes) together(
	ctx context.Context, namespace string, states []sluice.ClaimState, generation string, lease time.Duration,
) ([]sluice.Object, error) {
	class, err := v.groupClass(ctx, states)
	if err != nil {
		return nil, err
	}
	g := group{objects: v.objects, namespace: namespace, generation: generation}
	if g.version, err = v.groupVersion(ctx); err != nil {
		return nil, err
	}
	for _, s := range states {
		g.claims = append(g.claims, s.Claim)
	}
	limited, cancel := context.WithTimeout(ctx, lease)
	defer cancel()
	taken, err := g.take(limited, class)
	if err != nil {
		return nil, g.late(ctx, taken, lease, err)
	}
	if err := g.mark(ctx, g.claims, nil); err != nil {
		return nil, err
	}
	members, err := g.all(limited, taken)
	return members, g.late(ctx, taken, lease, err)
}

// take asks for the snapshot, and returns it when it holds the data of a moment. One that exists stays.
func (g group) take(ctx context.Context, class string) (taken sluice.Object, err error) {
	if taken, err = g.get(ctx, g.ref()); err != nil {
		return nil, err
	}
	if taken == nil {
		// The label first: the cluster looks once which claims have it.
		if err := g.mark(ctx, g.claims, ""); err != nil {
			return nil, err
		}
		if _, _, err := g.create(ctx, g.object(class)); err != nil {
			return nil, err
		}
	}
	err = g.await(ctx, g.ref(), func(now sluice.Object) bool {
		taken = now
		return now == nil || now.Text("status", "creationTime") != ""
	}, func(sluice.Object) string { return "to hold the data of " + strings.Join(g.claims, ", ") })
	if taken == nil && err == nil {
		return nil, sluice.Errorf(sluice.Conflict, "somebody has deleted the %s", g.ref())
	}
	return taken, err
}

func (g group) object(class string) sluice.Object {
	ref, labels := g.ref(), map[string]any{g.label(): ""}
	return sluice.Object{
		"apiVersion": ref.APIVersion, "kind": ref.Kind, "metadata": map[string]any{
			"name": ref.Name, "namespace": ref.Namespace, "labels": map[string]any{managedLabel: sluice.Manager},
			"annotations": map[string]any{generationNote: g.generation, claimNote: strings.Join(g.claims, " ")},
		},
		"spec": map[string]any{
			"volumeGroupSnapshotClassName": class,
			"source":                       map[string]any{"selector": map[string]any{"matchLabels": labels}},
		},
	}
}

// mark puts the label on the claims, or takes it off if the value is nil.
func (g group) mark(ctx context.Context, claims []string, value any) error {
	for _, claim := range claims {
		err := g.change(ctx, claimRef(g.namespace, claim), func(o sluice.Object) sluice.Object {
			if o.Field("metadata", "labels", g.label()) == value {
				return nil
			}
			patch := sluice.Object{}
			patch.Set(value, "metadata", "labels", g.label())
			return patch
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// all returns the snapshot of each claim when it holds its data too. The cluster makes them of the group.
func (g group) all(ctx context.Context, taken sluice.Object) ([]sluice.Object, error) {
	again := time.NewTicker(look)
	defer again.Stop()
	for {
		members, err := g.members(ctx, taken)
		if err != nil {
			return nil, err
		}
		of := map[string]sluice.Object{}
		for _, m := range members {
			if m.Text("status", "creationTime") != "" {
				of[m.Text("spec", "source", "persistentVolumeClaimName")] = m
			}
		}
		list := make([]sluice.Object, len(g.claims))
		for i, claim := range g.claims {
			list[i] = of[claim]
		}
		if !slices.ContainsFunc(list, func(o sluice.Object) bool { return o == nil }) {
			return list, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-again.C:
		}
	}
}

// members returns the snapshots that the cluster has made of the group.
func (g group) members(ctx context.Context, taken sluice.Object) ([]sluice.Object, error) {
	snapshots, err := g.client.List(ctx, snapshotGroup+"/v1", snapshotKind, g.namespace)
	return slices.DeleteFunc(snapshots, func(o sluice.Object) bool {
		return !slices.ContainsFunc(o.List("metadata", "ownerReferences"), func(owner sluice.Object) bool {
			return owner.Text("uid") == taken.Text("metadata", "uid")
		})
	}), err
}

// late says why the snapshot was not taken within the lease.
func (g group) late(ctx context.Context, taken sluice.Object, lease time.Duration, err error) error {
	if err == nil || ctx.Err() != nil || taken == nil {
		return err
	}
	claims := strings.Join(g.claims, ", ")
	if message := taken.Text("status", "error", "message"); message != "" {
		return sluice.Errorf(sluice.Failed, "the claims %s in %s have no snapshot of their group after %s; their driver "+
			"says: %s", claims, g.namespace, lease, client.OneLine(message))
	}
	if taken.Field("status") == nil {
		return sluice.Errorf(sluice.Failed, "the claims %s in %s have no snapshot of their group after %s: nothing in the "+
			"cluster takes it", claims, g.namespace, lease).
			WithHint("run snapshot-controller and csi-snapshotter with --feature-gates=CSIVolumeGroupSnapshot=true, or " +
				"delete the VolumeGroupSnapshotClass of the driver")
	}
	return err
}

// discard takes the label off the claim, and deletes the group with the last of its claims' copies. Before that the
// cluster does not delete it, because a copy may still be made of it.
func (g group) discard(ctx context.Context, claim string) (err error) {
	if g.version, err = g.groupVersion(ctx); err != nil || g.version == "" {
		return err
	}
	if err := g.mark(ctx, []string{claim}, nil); err != nil {
		return err
	}
	o, err := g.get(ctx, g.ref())
	if err != nil || o == nil || note(o, generationNote) != g.generation {
		return err
	}
	for _, other := range strings.Fields(note(o, claimNote)) {
		copied, err := g.get(ctx, subject{g.objects, claimRef(g.namespace, other)}.staging(g.generation))
		if err != nil || copied != nil {
			return err
		}
	}
	return g.delete(ctx, o)
}

// deleteContent lets the content of the VolumeSnapshot go with it.
func (g group) deleteContent(ctx context.Context, o sluice.Object) error {
	name := o.Text("status", "boundVolumeSnapshotContentName")
	if name == "" {
		return nil
	}
	return g.change(ctx, contentRef(name), withPolicy(reclaimed))
}

// delete deletes the group and its snapshots, with their contents.
func (g group) delete(ctx context.Context, o sluice.Object) error {
	members, err := g.members(ctx, o)
	if err != nil {
		return err
	}
	if name := o.Text("status", "boundVolumeGroupSnapshotContentName"); name != "" {
		content := sluice.Ref{APIVersion: g.version, Kind: "VolumeGroupSnapshotContent", Name: name}
		if err := g.change(ctx, content, withPolicy(reclaimed)); err != nil {
			return err
		}
	}
	for _, m := range members {
		if err := g.deleteContent(ctx, m); err != nil {
			return err
		}
	}
	if err := g.remove(ctx, o); err != nil {
		return err
	}
	for _, m := range members {
		if err := g.awaitGone(ctx, m); err != nil {
			return err
		}
	}
	return nil
}
