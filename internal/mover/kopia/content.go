package kopia

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/kopia/kopia/fs"
	"github.com/kopia/kopia/repo/content"
	"github.com/kopia/kopia/repo/object"
	"github.com/kopia/kopia/snapshot"
	"github.com/kopia/kopia/snapshot/snapshotfs"

	"github.com/sluice-cd/sluice/internal/mover/tree"
)

// A chunk is content at one place of a file.
type chunk struct {
	offset, length int64
	object         object.ID
	sum            tree.Sum // zero: not known
}

// walk passes on the entries of a copied volume in their order, each with its content. More of the content may follow
// with the same path.
func (m *Mover) walk(ctx context.Context, s *snapshot.Manifest, visit func(tree.Entry, []chunk) error) error {
	index := s.Tags[tagIndex]
	if index == "" {
		return m.walkPlain(ctx, s, visit)
	}
	id, err := object.ParseID(index)
	if err != nil {
		return err
	}
	return readIndex(ctx, m.rep, id, func(r row) error {
		var list []chunk
		for i, g := range r.Segments {
			at := r.Offset + int64(i)*tree.Segment
			list = append(list, chunk{at, min(tree.Segment, r.Size-at), g.Object, g.Sum})
		}
		return visit(r.Entry, list)
	})
}

// walkPlain walks a snapshot that has no index, because an earlier version made it.
func (m *Mover) walkPlain(ctx context.Context, s *snapshot.Manifest, visit func(tree.Entry, []chunk) error) error {
	root, err := snapshotfs.SnapshotRoot(m.rep, s)
	if err != nil {
		return err
	}
	return m.walkDir(ctx, root, tree.Root, visit)
}

func (m *Mover) walkDir(
	ctx context.Context, of fs.Entry, name string, visit func(tree.Entry, []chunk) error,
) error {
	e, list, err := m.plain(ctx, of, name)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := visit(e, list); err != nil {
		return err
	}
	dir, ok := of.(fs.Directory)
	if !ok {
		return nil
	}
	var children []fs.Entry
	err = fs.IterateEntries(ctx, dir, func(_ context.Context, child fs.Entry) error {
		children = append(children, child)
		return nil
	})
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	slices.SortFunc(children, func(a, b fs.Entry) int { return strings.Compare(a.Name(), b.Name()) })
	for _, child := range children {
		if err := m.walkDir(ctx, child, path.Join(name, child.Name()), visit); err != nil {
			return err
		}
	}
	return nil
}

// plain describes an entry as kopia knows it. It does not know where the holes of a file are, so they may be anywhere.
func (m *Mover) plain(ctx context.Context, of fs.Entry, name string) (e tree.Entry, list []chunk, err error) {
	with, ok := of.(snapshot.HasDirEntry)
	if !ok {
		return e, nil, errors.New("it is neither a file, nor a directory, nor a symbolic link")
	}
	d := with.DirEntry()
	e = tree.Entry{
		Path: name, Mode: of.Mode(), UID: d.UserID, GID: d.GroupID, ModTime: d.ModTime.ToTime(),
	}
	switch d.Type {
	case snapshot.EntryTypeDirectory:
		e.Kind = tree.Dir
	case snapshot.EntryTypeSymlink:
		e.Kind = tree.Symlink
		e.Target, err = of.(fs.Symlink).Readlink(ctx)
	default:
		e.Kind, e.Size, e.Sparse = tree.File, d.FileSize, true
		list, err = m.chunks(ctx, d)
	}
	return e, list, err
}

func (m *Mover) chunks(ctx context.Context, d *snapshot.DirEntry) ([]chunk, error) {
	index, several := d.ObjectID.IndexObjectID()
	if !several {
		return []chunk{{length: d.FileSize, object: d.ObjectID}}, nil
	}
	parts, err := object.LoadIndexObject(ctx, contentsOf{m.rep.ContentReader()}, index)
	list := make([]chunk, len(parts))
	for i, p := range parts {
		list[i] = chunk{offset: p.Start, length: p.Length, object: p.Object}
	}
	return list, err
}

// contentsOf is what kopia needs to load the list of a file's parts. There is no cache to fetch contents into.
type contentsOf struct{ content.Reader }

func (contentsOf) PrefetchContents(context.Context, []content.ID, string) []content.ID { return nil }

// read returns the content of a chunk, proven by its hash. Damaged content is dropped.
func (m *Mover) read(ctx context.Context, c chunk) ([]byte, error) {
	data, err := m.readProven(ctx, c)
	if isDamage(ctx, err) {
		m.drop(ctx, c.object)
	}
	return data, err
}

func (m *Mover) readProven(ctx context.Context, c chunk) ([]byte, error) {
	data, err := m.readObject(ctx, c.object)
	if err != nil {
		return nil, err
	}
	if int64(len(data)) != c.length {
		return nil, fmt.Errorf("%d bytes are expected at byte %d and there are %d", c.length, c.offset, len(data))
	}
	if c.sum != (tree.Sum{}) && tree.SumOf(data) != c.sum {
		return nil, fmt.Errorf("the content at byte %d is not what was copied", c.offset)
	}
	return data, nil
}

// readObject does not copy the content of an object that is as it was written.
func (m *Mover) readObject(ctx context.Context, id object.ID) ([]byte, error) {
	if content, compressed, direct := id.ContentID(); direct && !compressed {
		return m.rep.ContentReader().GetContent(ctx, content)
	}
	r, err := m.rep.OpenObject(ctx, id)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }() // only read
	return io.ReadAll(r)
}
