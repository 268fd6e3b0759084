package portworx

import (
	"context"
	"maps"
	"strings"

	"github.com/sluice-cd/sluice"
)

// Cancel implements sluice.Migrator. Deleting a Migration that runs cancels it, as well as Portworx can.
func (p *Migrator) Cancel(ctx context.Context, m sluice.Move) (begun bool, err error) {
	migration, err := get(ctx, m.From, migrationRef(m))
	if err != nil || migration == nil {
		return false, ignoreUnserved(err)
	}
	return true, m.From.Account.Delete(ctx, migrationRef(m))
}

// ignoreUnserved makes an account without Stork one without Migrations.
func ignoreUnserved(err error) error {
	if sluice.ErrorCode(err) == sluice.Unsupported {
		return nil
	}
	return err
}

// Undo implements sluice.Migrator.
func (p *Migrator) Undo(ctx context.Context, m sluice.Move, was sluice.Moving) error {
	if err := p.sweep(ctx, m, was); err != nil {
		return err
	}
	for i, claim := range was.Claims {
		if err := p.putBack(ctx, m, claim, was.Volumes[i]); err != nil {
			return err
		}
	}
	return unlabel(ctx, m, was)
}

// sweep deletes the claims that the move brought, with their volumes, unless a previous volume has the same name.
func (p *Migrator) sweep(ctx context.Context, m sluice.Move, was sluice.Moving) error {
	kept := map[string]bool{}
	for _, v := range was.Volumes {
		kept[v.Ref().Name] = true
	}
	for _, claim := range was.Source {
		volume := volumeRef(volumeOf(claim))
		there, err := get(ctx, m.To, volume)
		if err != nil {
			return err
		}
		brought := there != nil && cameBy(m, there) && !kept[volume.Name]
		if brought {
			if err := reclaim(ctx, m.To, volume, remove); err != nil {
				return err
			}
		}
		if err := p.sweepClaim(ctx, m, claim.Ref().Name, kept); err != nil {
			return err
		}
		if brought && there.Text("status", "phase") != "Bound" {
			if err := m.To.Account.Delete(ctx, volume); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *Migrator) sweepClaim(ctx context.Context, m sluice.Move, name string, kept map[string]bool) error {
	ref := claimRef(m.To, name)
	there, err := get(ctx, m.To, ref)
	if err != nil || there == nil || !cameBy(m, there) {
		return err
	}
	if kept[volumeOf(there)] {
		if err := reclaim(ctx, m.To, volumeRef(volumeOf(there)), retain); err != nil {
			return err
		}
	}
	return m.To.Account.Delete(ctx, ref)
}

// putBack gives the claim its volume back, and the volume its policy. A claim that was never taken away stays.
func (p *Migrator) putBack(ctx context.Context, m sluice.Move, claim, volume sluice.Object) error {
	now, err := get(ctx, m.To, claim.Ref())
	if err != nil {
		return err
	}
	if now != nil && now.Text("metadata", "deletionTimestamp") != "" {
		if err := m.To.Account.Delete(ctx, claim.Ref()); err != nil {
			return err
		}
		now = nil
	}
	if now == nil {
		if err := reserve(ctx, m.To, volume, claim.Ref()); err != nil {
			return err
		}
		if _, _, err := m.To.Account.Apply(ctx, bare(claim), false); err != nil {
			return err
		}
	}
	if err := p.bound(ctx, m, claim.Ref()); err != nil {
		return err
	}
	return reclaim(ctx, m.To, volume.Ref(), policyOf(volume))
}

// bound returns once the claim is bound. Until then the policy of its volume must not change.
func (p *Migrator) bound(ctx context.Context, m sluice.Move, ref sluice.Ref) error {
	bounded, cancel := context.WithTimeout(ctx, p.options.Idle)
	defer cancel()
	for claim, err := range m.To.Account.Follow(bounded, ref) {
		if err != nil || isBound(claim) {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return sluice.Errorf(sluice.Failed, "the claim %s in %s of %s does not get its previous volume back", ref.Name,
		ref.Namespace, m.To.Name).WithHint("see: kubectl describe pvc %s -n %s", ref.Name, ref.Namespace)
}

// bare returns the claim without what its cluster added. A cluster that finds its notes about a bound claim on a new
// one takes the volume for lost.
func bare(claim sluice.Object) sluice.Object {
	b := claim.Clone()
	delete(b, "status")
	kept := map[string]any{}
	for _, field := range []string{"name", "namespace", "labels", "annotations", "ownerReferences"} {
		if v := b.Field("metadata", field); v != nil {
			kept[field] = v
		}
	}
	b["metadata"] = kept
	if notes, ok := kept["annotations"].(map[string]any); ok {
		maps.DeleteFunc(notes, func(k string, _ any) bool { return strings.HasPrefix(k, "pv.kubernetes.io/") })
	}
	return b
}

// Finish implements sluice.Migrator. A previous volume that the user wants to be retained stays.
func (p *Migrator) Finish(ctx context.Context, m sluice.Move, was sluice.Moving) error {
	if err := unlabel(ctx, m, was); err != nil {
		return err
	}
	for _, volume := range was.Volumes {
		if err := reclaim(ctx, m.To, volume.Ref(), policyOf(volume)); err != nil {
			return err
		}
	}
	_, err := p.Cancel(ctx, m)
	return err
}
