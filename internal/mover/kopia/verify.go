package kopia

import (
	"context"
	"io"
	"runtime"

	"github.com/kopia/kopia/fs"
	"github.com/kopia/kopia/repo/manifest"
	"github.com/kopia/kopia/repo/object"
	"github.com/kopia/kopia/snapshot"
	"github.com/kopia/kopia/snapshot/snapshotfs"

	"github.com/sluice-cd/sluice"
)

// verify reads all content. Reading content proves it, because its key is made from its hash.
func (m *Mover) verify(ctx context.Context, t sluice.Transfer, p *meter) (sluice.Copy, error) {
	snapshots, err := m.load(ctx, t.Copy)
	if err != nil {
		return t.Copy, err
	}
	p.expect(t.Copy.Bytes)
	for i, s := range snapshots {
		if err := m.verifyVolume(ctx, t.Copy.Claims[i], s, p); err != nil {
			return t.Copy, err
		}
	}
	return t.Copy, nil
}

// load returns the snapshots of a copy, in its order.
func (m *Mover) load(ctx context.Context, c sluice.Copy) ([]*snapshot.Manifest, error) {
	if c.Mover != Name || len(c.Snapshots) != len(c.Claims) {
		return nil, sluice.Errorf(sluice.Invalid, "the mover %s cannot read a copy of %q with %d snapshots of %d claims",
			Name, c.Mover, len(c.Snapshots), len(c.Claims))
	}
	if err := m.refresh(ctx); err != nil {
		return nil, err
	}
	list := make([]*snapshot.Manifest, len(c.Snapshots))
	for i, id := range c.Snapshots {
		s, err := snapshot.LoadSnapshot(ctx, m.rep, manifest.ID(id))
		if err != nil {
			return nil, m.damage("the snapshot "+id+" of the claim "+c.Claims[i], err)
		}
		list[i] = s
	}
	return list, nil
}

func (m *Mover) verifyVolume(ctx context.Context, claim string, s *snapshot.Manifest, p *meter) error {
	root, err := snapshotfs.SnapshotRoot(m.rep, s)
	if err != nil {
		return m.damage(claim, err)
	}
	read := func(ctx context.Context, e fs.Entry, id object.ID, path string) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if e.IsDir() {
			return nil // the walk itself reads it
		}
		if err := m.read(ctx, id, p); err != nil {
			return m.damage(claim+":"+path, err)
		}
		return nil
	}
	options := snapshotfs.TreeWalkerOptions{EntryCallback: read, Parallelism: runtime.NumCPU(), MaxErrors: 1}
	walk, err := snapshotfs.NewTreeWalker(ctx, options)
	if err != nil {
		return err
	}
	defer walk.Close(ctx)
	if err := walk.Process(ctx, root, ""); err != nil {
		return m.damage(claim, err)
	}
	if found, _ := walk.GetErrors(); len(found) > 0 {
		return m.damage(claim, found[0])
	}
	return nil
}

func (m *Mover) read(ctx context.Context, id object.ID, p *meter) error {
	r, err := m.rep.OpenObject(ctx, id)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // only read
	_, err = io.Copy(p, r)
	return err
}
