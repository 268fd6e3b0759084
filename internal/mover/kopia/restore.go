package kopia

import (
	"context"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/mover/tree"
)

// restore fills the volumes. A volume that is not empty is a Conflict, unless it holds what an interrupted restore
// left; of that it keeps what has the right hash. The volumes are finished together, so that an interrupted restore
// finds all of them unfinished.
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
	list := make([]*filling, len(snapshots))
	for i, s := range snapshots {
		v := t.Volumes[i]
		w, err := m.create(ctx, t, v, string(s.ID))
		if err != nil {
			return t.Copy, err
		}
		defer func() { _ = w.Close() }() // Seal returns its errors
		list[i] = &filling{mover: m, claim: v.Claim, to: w, meter: p}
		if err := list[i].run(ctx, s); err != nil {
			return t.Copy, err
		}
	}
	for _, f := range list {
		if err := f.to.Seal(ctx, f.open); err != nil { // the root alone is left
			return t.Copy, err
		}
	}
	return t.Copy, nil
}

func (m *Mover) create(ctx context.Context, t sluice.Transfer, v sluice.Volume, content string) (tree.Writer, error) {
	switch {
	case v.Dir != "":
		return tree.Create(ctx, v, content)
	case m.options.Writer != nil:
		return m.options.Writer(ctx, t, v, content)
	}
	return nil, outOfReach(v.Claim)
}
