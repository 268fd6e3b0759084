package portworx

import (
	"context"

	"github.com/sluice-cd/sluice"
)

// Run implements sluice.Migrator. The Migration is the last thing that it makes; so if it exists, all before it is
// done.
func (p *Migrator) Run(ctx context.Context, m sluice.Move, was sluice.Moving, report func(sluice.Progress)) error {
	migration, err := get(ctx, m.From, migrationRef(m))
	if err != nil {
		return err
	}
	if migration == nil {
		if err := prepare(ctx, m, was, report); err != nil {
			return err
		}
		if migration, _, err = m.From.Account.Apply(ctx, object(m, was), false); err != nil {
			return err
		}
	}
	f := follower{Options: p.options, move: m, uid: migration.Text("metadata", "uid"), report: report}
	if err := f.follow(ctx, migration); err != nil {
		return err
	}
	if err := p.arrived(ctx, m, report); err != nil {
		return err
	}
	return unlabel(ctx, m, was)
}

// prepare keeps the volumes at the destination, takes their claims away, and makes sure that Stork finds the claims.
func prepare(ctx context.Context, m sluice.Move, was sluice.Moving, report func(sluice.Progress)) error {
	if err := m.Stop(ctx); err != nil {
		return err
	}
	if err := checkUnused(ctx, m, ""); err != nil {
		return err
	}
	for i, claim := range was.Claims {
		if err := reclaim(ctx, m.To, was.Volumes[i].Ref(), retain); err != nil {
			return err
		}
		if err := detached(ctx, m.To, volumeOf(claim), report); err != nil {
			return err
		}
		if err := m.To.Account.Delete(ctx, claim.Ref()); err != nil {
			return err
		}
	}
	if err := label(ctx, m, was); err != nil {
		return err
	}
	return checkSelection(ctx, m, was)
}

// object is the Migration. It starts no applications, because nobody may open the volumes before Sluice does.
func object(m sluice.Move, was sluice.Moving) sluice.Object {
	ref := migrationRef(m)
	selectors := map[string]any{}
	for k, v := range was.Selector {
		selectors[k] = v
	}
	return sluice.Object{
		"apiVersion": ref.APIVersion, "kind": ref.Kind,
		"metadata": map[string]any{"namespace": ref.Namespace, "name": ref.Name},
		"spec": map[string]any{
			"clusterPair": m.Portworx.ClusterPair, "namespaces": []any{m.From.Namespace}, "selectors": selectors,
			"includeVolumes": true, "includeResources": false, "startApplications": false, "purgeDeletedResources": false,
			"skipDeletedNamespaces": false,
		},
	}
}

// label labels the claims, if they need it.
func label(ctx context.Context, m sluice.Move, was sluice.Moving) error {
	if !was.Labelled {
		return nil
	}
	for _, claim := range was.Source {
		now, err := m.From.Account.Get(ctx, claim.Ref())
		if err != nil {
			return err
		}
		now = now.Clone()
		now.Set(m.ID, "metadata", "labels", Label)
		if _, _, err := m.From.Account.Apply(ctx, now, false); err != nil {
			return err
		}
	}
	return nil
}

// unlabel removes the labels of label.
func unlabel(ctx context.Context, m sluice.Move, was sluice.Moving) error {
	if !was.Labelled {
		return nil
	}
	for _, claim := range was.Source {
		now, err := get(ctx, m.From, claim.Ref())
		if err != nil {
			return err
		}
		if now == nil || now.Text("metadata", "labels", Label) == "" {
			continue
		}
		if _, _, err := m.From.Account.Restore(ctx, claim, false); err != nil {
			return err
		}
	}
	return nil
}
