package data_test

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/mover/csi"
)

// keeping lets the storage of the claims keep snapshots.
func (w *world) keeping() *world {
	w.snapshots, w.keeps = true, true
	return w
}

// snapshots implements sluice.Snapshots.
type snapshots struct{ *world }

func (s snapshots) Keep(ctx context.Context, id string, volumes []sluice.Volume) error {
	return s.effect(ctx, func() error {
		if s.copies[id] != nil {
			return nil
		}
		for _, v := range volumes {
			if s.world.volumes[v.Namespace+"/"+v.Claim].generations[v.Generation] == nil {
				return sluice.Errorf(sluice.Unsupported, "the claim %s was not cut", v.Claim)
			}
		}
		s.copies[id], s.copied = s.contents(volumes), s.copied+1
		for _, v := range volumes {
			s.kept[id] = append(s.kept[id], v.Claim)
			s.retained[v.Namespace+" "+v.Claim+" "+v.Generation] = true
		}
		return nil
	})
}

// contents are copies of what the volumes hold.
func (s snapshots) contents(volumes []sluice.Volume) []documents {
	return fakeMover(s).contents(volumes)
}

func (s snapshots) Kept(ctx context.Context, id string) (list []sluice.Snapshot, err error) {
	err = s.effect(ctx, func() error {
		if s.copies[id] == nil {
			return missing("snapshot of " + id)
		}
		for i, claim := range s.kept[id] {
			list = append(list, sluice.Snapshot{Name: fmt.Sprint(id, "#", i), Claim: claim, Ready: true})
		}
		return nil
	})
	return list, err
}

func (s snapshots) Look(ctx context.Context, name string) (sluice.Snapshot, error) {
	return sluice.Snapshot{Name: name, Ready: true}, s.effect(ctx, func() error {
		if s.content(name) == nil {
			return missing("snapshot " + name)
		}
		return nil
	})
}

func (s snapshots) Drop(ctx context.Context, id string) error {
	return s.effect(ctx, func() error {
		delete(s.copies, id)
		delete(s.kept, id)
		return nil
	})
}

// content returns what the kept snapshot holds, nil if there is none.
func (w *world) content(name string) documents {
	id, number, _ := strings.Cut(name, "#")
	for i, d := range w.copies[id] {
		if fmt.Sprint(i) == number {
			return maps.Clone(d)
		}
	}
	return nil
}

// noPods are not needed: every volume is made at once.
type noPods struct{}

func (noPods) Mount(context.Context, sluice.Transfer) error { return nil }
func (noPods) End(context.Context, sluice.Transfer) error   { return nil }

func (w *world) movers() map[string]sluice.Mover {
	return map[string]sluice.Mover{"kopia": fakeMover{w}, csi.Name: csi.New(noPods{})}
}
