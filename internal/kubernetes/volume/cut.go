package volume

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
)

// Cut takes one snapshot of all claims, or a snapshot of every claim, one right after the other, and makes a claim of
// each. The pods go on. It returns when every snapshot holds the data of a moment: from then on writes change nothing
// in the copies, although a driver may need longer until they can be read. If one of the claims has no snapshots, and
// no pod uses any of them, all are held.
//
// A driver goes on trying after an error, so an error counts only if the snapshot is not taken within the lease.
// Nothing is left of a cut that fails.
func (v *Volumes) Cut(
	ctx context.Context, namespace string, claims []string, generation string, lease time.Duration,
) (cut sluice.Cut, err error) {
	states, err := v.Describe(ctx, namespace, claims)
	if err != nil {
		return sluice.Cut{}, err
	}
	if slices.ContainsFunc(states, func(s sluice.ClaimState) bool { return s.Way == sluice.CutIdle }) {
		return held(namespace, states, generation)
	}
	take := v.each
	if states[0].Way == sluice.CutGroup {
		take = v.together
	}
	taken, err := take(ctx, namespace, states, generation, lease)
	if err == nil {
		cut, err = v.open(ctx, namespace, taken, claims, generation)
	}
	if err == nil || ctx.Err() != nil {
		return cut, err // the next call goes on after the end of ctx
	}
	for _, claim := range claims {
		err = errors.Join(err, v.Discard(ctx, namespace, claim, generation))
	}
	return sluice.Cut{}, err
}

// held is the cut of claims that stay as they are while nobody uses them.
func held(namespace string, states []sluice.ClaimState, generation string) (sluice.Cut, error) {
	cut := sluice.Cut{At: time.Now(), Held: true}
	for _, s := range states {
		if len(s.Users) > 0 {
			at := slices.IndexFunc(states, func(s sluice.ClaimState) bool { return s.Way == sluice.CutIdle })
			return sluice.Cut{}, sluice.Errorf(sluice.Unsupported, "the claim %s in %s cannot be copied while %s uses it: %s",
				s.Claim, namespace, strings.Join(s.Users, ", "), states[at].Reason).
				WithHint("stop the workload while it is copied, with quiesce: stop")
		}
		cut.Volumes = append(cut.Volumes, sluice.Volume{
			Namespace: namespace, Claim: s.Claim, Generation: generation, Mount: s.Claim,
		})
	}
	return cut, nil
}

// each takes all snapshots before it waits for any.
func (v *Volumes) each(
	ctx context.Context, namespace string, states []sluice.ClaimState, generation string, lease time.Duration,
) (taken []sluice.Object, err error) {
	parts := make([]snapshot, len(states))
	for i, state := range states {
		parts[i] = snapshot{v.subject(namespace, state.Claim), generation}
		if err := parts[i].take(ctx, state.Driver); err != nil {
			return nil, err
		}
	}
	taken = make([]sluice.Object, len(parts))
	for i, p := range parts {
		if taken[i], err = p.taken(ctx, lease); err != nil {
			return nil, err
		}
	}
	return taken, nil
}

// open makes a claim of each snapshot. The cut is of the moment of the last one.
func (v *Volumes) open(
	ctx context.Context, namespace string, taken []sluice.Object, claims []string, generation string,
) (cut sluice.Cut, err error) {
	for i, claim := range claims {
		at, err := time.Parse(time.RFC3339, taken[i].Text("status", "creationTime"))
		if err != nil {
			return cut, err
		}
		if at.After(cut.At) {
			cut.At = at
		}
		volume, err := snapshot{v.subject(namespace, claim), generation}.open(ctx, taken[i])
		if err != nil {
			return cut, err
		}
		cut.Volumes = append(cut.Volumes, volume)
	}
	return cut, nil
}

// A snapshot is one claim's part of a cut.
type snapshot struct {
	subject
	generation string
}

// ref names the VolumeSnapshot.
func (s snapshot) ref() sluice.Ref {
	return sluice.Ref{APIVersion: snapshotGroup + "/v1", Kind: snapshotKind, Namespace: s.Namespace,
		Name: s.staging(s.generation).Name}
}

// take asks for the snapshot. One that exists stays.
func (s snapshot) take(ctx context.Context, driver string) error {
	classes, err := s.client.List(ctx, snapshotGroup+"/v1", "VolumeSnapshotClass", "")
	if err != nil {
		return err
	}
	_, _, err = s.create(ctx, s.object(map[string]any{
		"volumeSnapshotClassName": snapshotClass(classes, driver),
		"source":                  map[string]any{"persistentVolumeClaimName": s.Name},
	}))
	return err
}

// object returns the VolumeSnapshot.
func (s snapshot) object(spec map[string]any) sluice.Object {
	ref := s.ref()
	return sluice.Object{"apiVersion": ref.APIVersion, "kind": ref.Kind, "spec": spec, "metadata": map[string]any{
		"name": ref.Name, "namespace": ref.Namespace,
		"labels":      map[string]any{ofLabel: s.label(), managedLabel: sluice.Manager},
		"annotations": map[string]any{generationNote: s.generation, claimNote: s.Name},
	}}
}

// dataSource is that of a claim that begins with the VolumeSnapshot of the name.
func dataSource(snapshot string) map[string]any {
	return map[string]any{"apiGroup": snapshotGroup, "kind": snapshotKind, "name": snapshot}
}

// taken returns the snapshot when it holds the data of a moment.
func (s snapshot) taken(ctx context.Context, lease time.Duration) (sluice.Object, error) {
	limited, cancel := context.WithTimeout(ctx, lease)
	defer cancel()
	var o sluice.Object
	err := s.await(limited, s.ref(), func(now sluice.Object) bool {
		o = now
		return now == nil || now.Text("status", "creationTime") != ""
	}, func(sluice.Object) string { return "to hold the data of " + s.Name })
	if o == nil && err == nil {
		return nil, sluice.Errorf(sluice.Conflict, "somebody has deleted the %s of the claim %s", s.ref(), s.Name)
	}
	if message := o.Text("status", "error", "message"); message != "" && err != nil && ctx.Err() == nil {
		return nil, sluice.Errorf(sluice.Failed, "the claim %s in %s has no snapshot after %s; its driver says: %s", s.Name,
			s.Namespace, lease, client.OneLine(message))
	}
	return o, err
}

// open makes a claim of the snapshot.
func (s snapshot) open(ctx context.Context, taken sluice.Object) (sluice.Volume, error) {
	opened := sluice.Volume{Namespace: s.Namespace, Claim: s.Name, Generation: s.generation,
		Mount: s.staging(s.generation).Name}
	now, err := s.get(ctx, s.Ref)
	if err != nil {
		return opened, err
	}
	size, err := sizeOf(now, now)
	if err != nil {
		return opened, err
	}
	if least, err := resource.ParseQuantity(taken.Text("status", "restoreSize")); err == nil && least.Cmp(size) > 0 {
		size = least
	}
	copied := s.beside(now, s.generation)
	copied.Set(size.String(), "spec", "resources", "requests", "storage")
	copied.Set(dataSource(taken.Ref().Name), "spec", "dataSource")
	if err := s.place(ctx, copied, now); err != nil {
		return opened, err
	}
	_, _, err = s.create(ctx, copied)
	return opened, err
}
