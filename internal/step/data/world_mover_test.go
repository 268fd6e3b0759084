package data_test

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/sluice-cd/sluice"
)

// fakeMover implements sluice.Mover. Its work ends with the process, or outlives it.
type fakeMover struct{ *world }

// fakeWork is a transfer that was begun.
type fakeWork struct {
	over bool
	copy sluice.Copy
	err  error
}

func keyOf(t sluice.Transfer) string {
	if t.Kind == sluice.TransferCopy {
		return t.ID
	}
	return fmt.Sprint(t.Kind, " ", t.Place.Namespace, " ", t.ID)
}

func (m fakeMover) Begin(ctx context.Context, t sluice.Transfer) error {
	return m.effect(ctx, func() error {
		if w, begun := m.work[keyOf(t)]; begun && (!w.over || w.err == nil) {
			return nil
		}
		m.work[keyOf(t)] = fakeWork{}
		if m.outlives {
			m.work[keyOf(t)] = m.carryOut(t)
		}
		return nil
	})
}

func (m fakeMover) Follow(ctx context.Context, t sluice.Transfer, _ func(sluice.Amount)) (c sluice.Copy, err error) {
	err = m.effect(ctx, func() error {
		w, begun := m.work[keyOf(t)]
		switch {
		case !begun && t.Kind == sluice.TransferCopy && m.copies[t.ID] != nil:
			c = described(t)
			return nil
		case !begun:
			return missing(keyOf(t))
		case !w.over:
			w = m.carryOut(t)
			delete(m.work, keyOf(t))
		}
		c = w.copy
		return w.err
	})
	return c, err
}

// carryOut does all of the work at once.
func (m fakeMover) carryOut(t sluice.Transfer) fakeWork {
	w := fakeWork{over: true, copy: t.Copy}
	switch t.Kind {
	case sluice.TransferCopy:
		w.copy = described(t)
		if m.copies[t.ID] == nil {
			m.copied++
			m.copies[t.ID] = m.contents(t.Volumes)
			if m.copying != nil {
				m.copying()
			}
		}
	case sluice.TransferRestore:
		w.err = m.fill(m.copies[t.Copy.Snapshots[0]], t.Volumes)
	}
	return w
}

func described(t sluice.Transfer) sluice.Copy {
	c := sluice.Copy{Mover: "kopia", Snapshots: []string{t.ID}}
	for _, v := range t.Volumes {
		c.Claims = append(c.Claims, v.Claim)
	}
	return c
}

func (m fakeMover) contents(volumes []sluice.Volume) (list []documents) {
	for _, v := range volumes {
		list = append(list, maps.Clone(m.volumes[v.Namespace+"/"+v.Claim].generations[v.Generation]))
	}
	return list
}

func (m fakeMover) fill(list []documents, volumes []sluice.Volume) error {
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
}

func (m fakeMover) Find(ctx context.Context, t sluice.Transfer) (c sluice.Copy, done bool, err error) {
	err = m.effect(ctx, func() error {
		w, begun := m.work[keyOf(t)]
		if begun && w.err == nil {
			c, done = w.copy, w.over
			return nil
		}
		if t.Kind == sluice.TransferCopy && m.copies[t.ID] != nil {
			c, done = described(t), true
			return nil
		}
		return missing(keyOf(t))
	})
	return c, done, err
}

func (m fakeMover) Cancel(ctx context.Context, t sluice.Transfer) error {
	return m.effect(ctx, func() error {
		delete(m.work, keyOf(t))
		return nil
	})
}

func (m fakeMover) Delete(ctx context.Context, _ sluice.Place, id string) error {
	return m.effect(ctx, func() error {
		if string(m.clinging) == id {
			return sluice.Errorf(sluice.Failed, "the disk is read-only")
		}
		delete(m.work, id)
		delete(m.copies, id)
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
			if application == "" || c.Application == application {
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
