package kopia

import (
	"context"

	"github.com/kopia/kopia/snapshot"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/mover/tree"
)

// restore fills the volumes. A volume that is not empty is a Conflict, unless it holds what an interrupted restore
// left; that is removed first.
func (m *Mover) restore(ctx context.Context, t sluice.Transfer, p *meter) (sluice.Copy, error) {
	snapshots, err := m.load(ctx, t.Copy)
	if err != nil {
		return t.Copy, err
	}
	if len(t.Volumes) != len(snapshots) {
		return t.Copy, sluice.Errorf(sluice.Invalid, "a copy of %d volumes cannot be restored into %d",
			len(snapshots), len(t.Volumes))
	}
	p.expect(t.Copy.Bytes)
	for i, s := range snapshots {
		if err := m.restoreVolume(ctx, t, i, s, p); err != nil {
			return t.Copy, err
		}
	}
	return t.Copy, nil
}

func (m *Mover) restoreVolume(ctx context.Context, t sluice.Transfer, i int, s *snapshot.Manifest, p *meter) error {
	v := t.Volumes[i]
	w, err := m.create(ctx, t, v)
	if err != nil {
		return err
	}
	defer func() { _ = w.Close() }() // Finish returns its errors
	f := &filling{mover: m, claim: v.Claim, to: w, meter: p}
	if err := m.walk(ctx, s, func(e tree.Entry, list []chunk) error { return f.visit(ctx, e, list) }); err != nil {
		return m.damage("the claim "+v.Claim, err)
	}
	root, err := f.finish(ctx)
	if err != nil {
		return err
	}
	if want := sizeOf(s); f.done != want {
		return sluice.Errorf(sluice.Failed, "the claim %s has %d bytes in %d files after the restore, the copy has %d in %d",
			v.Claim, f.done.Bytes, f.done.Files, want.Bytes, want.Files)
	}
	return w.Finish(ctx, root)
}

func (m *Mover) create(ctx context.Context, t sluice.Transfer, v sluice.Volume) (tree.Writer, error) {
	switch {
	case v.Dir != "":
		return tree.Create(ctx, v)
	case m.options.Writer != nil:
		return m.options.Writer(ctx, t, v)
	}
	return nil, outOfReach(v.Claim)
}
