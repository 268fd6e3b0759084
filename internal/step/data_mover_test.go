package step_test

import (
	"context"
	"maps"
	"slices"

	"github.com/sluice-cd/sluice"
)

// fakeMover implements sluice.Mover.
type fakeMover struct{ *world }

func (m fakeMover) Copy(ctx context.Context, id sluice.CheckpointID, volumes []sluice.Volume, _ func(sluice.Amount)) (c sluice.Copy, err error) {
	err = m.effect(ctx, func() error {
		if m.copies[id] == nil {
			var list []documents
			for _, v := range volumes {
				if v.Dir == "" {
					return sluice.Errorf(sluice.Unsupported, "out of reach")
				}
				list = append(list, maps.Clone(m.volumes[v.Namespace+"/"+v.Claim].generations[v.Generation]))
			}
			m.copies[id] = list
		}
		c = sluice.Copy{Mover: "kopia", Snapshots: []string{string(id)}}
		for _, v := range volumes {
			c.Claims = append(c.Claims, v.Claim)
		}
		return nil
	})
	return c, err
}

func (m fakeMover) Restore(ctx context.Context, c sluice.Copy, volumes []sluice.Volume, _ func(sluice.Amount)) error {
	return m.effect(ctx, func() error {
		list := m.copies[sluice.CheckpointID(c.Snapshots[0])]
		if list == nil {
			return missing("copy")
		}
		for i, v := range volumes {
			there := m.volumes[v.Namespace+"/"+v.Claim]
			if len(there.generations[v.Generation]) > 0 {
				return sluice.Errorf(sluice.Conflict, "the volume is not empty")
			}
			there.generations[v.Generation] = maps.Clone(list[i])
		}
		return nil
	})
}

func (m fakeMover) Verify(ctx context.Context, _ sluice.Copy, _ func(sluice.Amount)) error {
	return m.effect(ctx, func() error { return nil })
}

func (m fakeMover) Delete(ctx context.Context, c sluice.Copy) error {
	return m.effect(ctx, func() error {
		if string(m.clinging) == c.Snapshots[0] {
			return sluice.Errorf(sluice.Failed, "the disk is read-only")
		}
		delete(m.copies, sluice.CheckpointID(c.Snapshots[0]))
		return nil
	})
}

// PutCheckpoint implements sluice.Catalogue.
func (w *world) PutCheckpoint(ctx context.Context, c sluice.Checkpoint) error {
	return w.effect(ctx, func() error {
		w.catalogue[c.ID] = c
		return nil
	})
}

// Checkpoint implements sluice.Catalogue.
func (w *world) Checkpoint(ctx context.Context, id sluice.CheckpointID) (c sluice.Checkpoint, err error) {
	err = w.effect(ctx, func() error {
		var ok bool
		if c, ok = w.catalogue[id]; !ok {
			return missing(id)
		}
		return nil
	})
	return c, err
}

// Checkpoints implements sluice.Catalogue.
func (w *world) Checkpoints(ctx context.Context, application string) (list []sluice.Checkpoint, err error) {
	err = w.effect(ctx, func() error {
		for _, c := range w.catalogue {
			if c.Application == application {
				list = append(list, c)
			}
		}
		slices.SortFunc(list, func(a, b sluice.Checkpoint) int { return b.TakenAt.Compare(a.TakenAt) })
		return nil
	})
	return list, err
}

// DeleteCheckpoint implements sluice.Catalogue.
func (w *world) DeleteCheckpoint(ctx context.Context, id sluice.CheckpointID) error {
	return w.effect(ctx, func() error {
		delete(w.catalogue, id)
		return nil
	})
}
