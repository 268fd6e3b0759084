package kopia

import (
	"bytes"
	"context"

	"github.com/kopia/kopia/snapshot"
	"golang.org/x/sync/errgroup"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/mover/tree"
)

// A filling fills one volume, in batches: entries are made, content that is not there yet is written in any order, and
// then what is complete is sealed.
type filling struct {
	mover *Mover
	claim string
	to    tree.Writer
	meter *meter
	done  tree.Size

	open     []tree.Entry // the root and the directories below it that lead to the last entry
	last     tree.Entry   // a file or symbolic link, of which more content may follow
	made     []tree.Entry
	complete []tree.Entry
	chunks   []filed
}

// filed is content and the file that it belongs to.
type filed struct {
	chunk
	path   string
	sparse bool
}

// run fills the volume with the snapshot, and seals everything but the root.
func (f *filling) run(ctx context.Context, s *snapshot.Manifest) error {
	err := f.mover.walk(ctx, s, func(e tree.Entry, list []chunk) error { return f.visit(ctx, e, list) })
	if err != nil {
		return f.mover.damage("the claim "+f.claim, err)
	}
	f.leave("")
	if err := f.flush(ctx); err != nil {
		return err
	}
	if want := sizeOf(s); f.done != want || len(f.open) != 1 {
		return sluice.Errorf(sluice.Failed, "the claim %s has %d bytes in %d files after the restore, the copy has %d in %d",
			f.claim, f.done.Bytes, f.done.Files, want.Bytes, want.Files)
	}
	return nil
}

func (f *filling) visit(ctx context.Context, e tree.Entry, list []chunk) error {
	if e.Path != f.last.Path {
		f.enter(e)
	}
	for _, c := range list {
		f.chunks = append(f.chunks, filed{c, f.last.Path, f.last.Sparse})
	}
	if len(f.chunks) >= run || len(f.made) >= most {
		return f.flush(ctx)
	}
	return ctx.Err()
}

// enter makes the entry and leaves the directories that do not hold it.
func (f *filling) enter(e tree.Entry) {
	f.leave(e.Path)
	f.made = append(f.made, e)
	switch e.Kind {
	case tree.Dir:
		f.open = append(f.open, e)
		return
	case tree.File, tree.Link:
		f.done.Files++
		f.done.Bytes += e.Size
	}
	f.last = e
}

// leave completes the last entry, and the directories that do not hold the path.
func (f *filling) leave(path string) {
	if f.last.Path != "" {
		f.complete = append(f.complete, f.last)
		f.last = tree.Entry{}
	}
	for n := len(f.open); n > 1 && !holds(f.open[n-1].Path, path); n = len(f.open) {
		f.complete = append(f.complete, f.open[n-1])
		f.open = f.open[:n-1]
	}
}

func (f *filling) flush(ctx context.Context) error {
	if err := f.to.Make(ctx, f.made); err != nil {
		return err
	}
	if err := f.keep(ctx); err != nil {
		return err
	}
	g, inner := errgroup.WithContext(ctx)
	g.SetLimit(tree.AtOnce())
	for _, group := range grouped(f.chunks) {
		g.Go(func() error { return f.write(inner, group) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := f.to.Seal(ctx, f.complete); err != nil {
		return err
	}
	f.made, f.complete, f.chunks = f.made[:0], f.complete[:0], f.chunks[:0]
	return nil
}

// grouped divides content into groups that are written at once, of about a segment each.
func grouped(chunks []filed) (groups [][]filed) {
	start, size := 0, int64(0)
	for i, c := range chunks {
		if size += c.length; size > tree.Segment && i > start {
			groups = append(groups, chunks[start:i])
			start, size = i, c.length
		}
	}
	if start < len(chunks) {
		groups = append(groups, chunks[start:])
	}
	return groups
}

func (f *filling) write(ctx context.Context, group []filed) error {
	var pieces []tree.Piece
	size := int64(0)
	for _, c := range group {
		data, err := f.mover.read(ctx, c.chunk)
		if err != nil {
			return f.mover.damage(f.claim+":"+c.path, err)
		}
		size += c.length
		p := tree.Piece{Path: c.path, Offset: c.offset, Length: c.length, Data: data}
		if !c.sparse {
			pieces = append(pieces, p)
			continue
		}
		pieces = append(pieces, dense(p)...)
	}
	if err := f.to.Write(ctx, pieces); err != nil {
		return err
	}
	f.meter.add(size)
	return nil
}

// block is the smallest hole.
const block = 4 << 10

// dense returns the parts of a piece that are not zeros.
func dense(p tree.Piece) (parts []tree.Piece) {
	var zeros [block]byte
	start := -1 // of the part that is not zeros
	for at := 0; at <= len(p.Data); at += block {
		b := p.Data[at:min(at+block, len(p.Data))]
		zero := bytes.Equal(b, zeros[:len(b)])
		switch {
		case start < 0 && !zero:
			start = at
		case start >= 0 && zero:
			parts = append(parts, tree.Piece{
				Path: p.Path, Offset: p.Offset + int64(start), Length: int64(at - start), Data: p.Data[start:at],
			})
			start = -1
		}
	}
	if start >= 0 {
		parts = append(parts, tree.Piece{
			Path: p.Path, Offset: p.Offset + int64(start), Length: p.Length - int64(start), Data: p.Data[start:],
		})
	}
	return parts
}
