package kopia

import (
	"context"
	"runtime"

	"github.com/kopia/kopia/fs"
	"github.com/kopia/kopia/repo/manifest"
	"github.com/kopia/kopia/repo/object"
	"github.com/kopia/kopia/snapshot"
	"github.com/kopia/kopia/snapshot/snapshotfs"
	"golang.org/x/sync/errgroup"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/mover/tree"
)

// verify reads all content. Reading content proves it, because its key is made from its hash.
func (m *Mover) verify(ctx context.Context, t sluice.Transfer, p *meter) (sluice.Copy, error) {
	snapshots, err := m.load(ctx, t.Copy)
	if err != nil {
		return t.Copy, err
	}
	p.expect(t.Copy.Bytes)
	for i, s := range snapshots {
		if err := m.verifyContent(ctx, t.Copy.Claims[i], s, p); err != nil {
			return t.Copy, err
		}
		if err := m.verifyShape(ctx, t.Copy.Claims[i], s); err != nil {
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

func (m *Mover) verifyContent(ctx context.Context, claim string, s *snapshot.Manifest, p *meter) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(tree.AtOnce())
	err := m.walk(ctx, s, func(e tree.Entry, list []chunk) error {
		for _, c := range list {
			g.Go(func() error {
				if _, err := m.read(ctx, c); err != nil {
					return m.damage(claim+":"+e.Path, err)
				}
				p.add(c.length)
				return nil
			})
		}
		return ctx.Err()
	})
	if found := g.Wait(); found != nil {
		return found
	}
	if err != nil {
		return m.damage(claim, err)
	}
	return nil
}

// verifyShape reads the directories and lists of segments that plain kopia needs.
func (m *Mover) verifyShape(ctx context.Context, claim string, s *snapshot.Manifest) error {
	root, err := snapshotfs.SnapshotRoot(m.rep, s)
	if err != nil {
		return m.damage(claim, err)
	}
	read := func(ctx context.Context, e fs.Entry, id object.ID, path string) error {
		if err := ctx.Err(); err != nil || e.IsDir() {
			return err // the walk itself reads directories
		}
		if _, err := m.rep.VerifyObject(ctx, id); err != nil {
			if isDamage(ctx, err) {
				m.drop(ctx, id)
			}
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
