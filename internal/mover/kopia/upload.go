package kopia

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/object"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/mover/tree"
)

const (
	compressor = "zstd-fastest"
	// Segments are contents as they are, and an index is kept in small ones, so that an interrupted copy loses little.
	segmentSplitter, indexSplitter = "FIXED-4M", "FIXED-128K"

	// most is how many rows are read at once.
	most = 1024
	// save is how often an upload records what it has sent, in case the process dies.
	save = 15 * time.Second
)

// An upload copies one volume. Entries are collected in batches. The segments of a batch are written in any order, its
// rows afterwards in the order of the volume.
type upload struct {
	to    repo.RepositoryWriter
	from  tree.Reader
	known *known
	meter *meter

	index   object.Writer
	encoder *json.Encoder
	shape   *shape
	keep    func(ctx context.Context, index object.ID) error // keeps the rows so far
	kept    time.Time

	rows     []row
	parts    []part
	segments int
}

// A part is what is read for one row.
type part struct {
	tree.Part
	row   int
	known []segment
}

// run uploads the volume and returns its index. If it is interrupted, it keeps what it has.
func (u *upload) run(ctx context.Context) (object.ID, error) {
	defer u.shape.close()
	u.index = u.to.NewObjectWriter(ctx, object.WriterOptions{
		Description: "INDEX", Compressor: compressor, MetadataCompressor: compressor, Splitter: indexSplitter,
	})
	defer func() { _ = u.index.Close() }() // Result returns its errors
	u.encoder, u.kept = json.NewEncoder(u.index), time.Now()
	err := u.from.Entries(ctx, func(e tree.Entry) error { return u.visit(ctx, e) })
	if err == nil {
		err = u.flush(ctx)
	}
	if err != nil {
		ctx := context.WithoutCancel(ctx)
		index, failed := u.index.Result()
		if failed == nil {
			failed = u.keep(ctx, index)
		}
		return object.EmptyID, errors.Join(err, failed)
	}
	return u.index.Result()
}

// visit adds the entry to the batch, a large file in several rows.
func (u *upload) visit(ctx context.Context, e tree.Entry) error {
	u.rows = append(u.rows, row{Entry: e})
	for at := int64(0); e.Kind == tree.File && at < e.Size; at += run * tree.Segment {
		if at > 0 {
			u.rows = append(u.rows, row{Entry: tree.Entry{Path: e.Path, Kind: e.Kind, Size: e.Size}, Offset: at})
		}
		p := part{
			Part: tree.Part{Path: e.Path, Offset: at, Length: min(e.Size-at, run*tree.Segment)},
			row:  len(u.rows) - 1, known: u.known.segments(ctx, e.Path, at),
		}
		for _, s := range p.known {
			p.Known = append(p.Known, s.Sum)
		}
		u.parts = append(u.parts, p)
		u.rows[p.row].Segments = make([]segment, p.Segments())
		if u.segments += p.Segments(); u.segments >= run {
			if err := u.flush(ctx); err != nil {
				return err
			}
		}
	}
	if len(u.rows) >= most {
		return u.flush(ctx)
	}
	return nil
}

// flush reads and writes the batch.
func (u *upload) flush(ctx context.Context) error {
	if err := u.read(ctx); err != nil {
		return err
	}
	for i := range u.rows {
		if err := u.encoder.Encode(u.rows[i]); err != nil {
			return err
		}
		if err := u.shape.add(ctx, &u.rows[i]); err != nil {
			return err
		}
	}
	u.rows, u.parts, u.segments = u.rows[:0], u.parts[:0], 0
	if time.Since(u.kept) < save {
		return nil
	}
	u.kept = time.Now()
	index, err := u.index.Checkpoint()
	if err != nil || index == object.EmptyID {
		return err
	}
	return u.keep(ctx, index)
}

// An address is where a row of a file begins.
type address struct {
	path   string
	offset int64
}

func (u *upload) read(ctx context.Context) error {
	if len(u.parts) == 0 {
		return nil
	}
	parts, at := make([]tree.Part, len(u.parts)), map[address]part{}
	for i, p := range u.parts {
		parts[i] = p.Part
		at[address{p.Path, p.Offset}] = p
	}
	return u.from.Read(ctx, parts, func(piece tree.Piece) error {
		start := piece.Offset - piece.Offset%(run*tree.Segment)
		p, i := at[address{piece.Path, start}], int((piece.Offset-start)/tree.Segment)
		if i >= p.Segments() || piece.Length != min(tree.Segment, p.Length-int64(i)*tree.Segment) {
			return sluice.Errorf(sluice.Failed, "nobody asked for byte %d of %s", piece.Offset, piece.Path)
		}
		id, err := u.write(ctx, p, i, piece)
		if err != nil {
			return err
		}
		u.rows[p.row].Segments[i] = segment{piece.Sum, id}
		u.meter.add(piece.Length)
		return nil
	})
}

// write returns the object that holds the piece, the one of an earlier copy if it is the same.
func (u *upload) write(ctx context.Context, p part, i int, piece tree.Piece) (object.ID, error) {
	data := piece.Data
	if data == nil {
		if i < len(p.known) && p.known[i].Sum == piece.Sum {
			return p.known[i].Object, nil
		}
		data = make([]byte, piece.Length)
		if tree.SumOf(data) != piece.Sum {
			return object.EmptyID, sluice.Errorf(sluice.Failed, "byte %d of %s came without content", piece.Offset, piece.Path)
		}
	}
	if int64(len(data)) != piece.Length {
		return object.EmptyID, sluice.Errorf(sluice.Failed, "byte %d of %s came with %d bytes", piece.Offset, piece.Path,
			len(data))
	}
	return writeObject(ctx, u.to, data)
}

func writeObject(ctx context.Context, to repo.RepositoryWriter, data []byte) (object.ID, error) {
	w := to.NewObjectWriter(ctx, object.WriterOptions{Compressor: compressor, Splitter: segmentSplitter})
	defer func() { _ = w.Close() }() // Result returns its errors
	if _, err := w.Write(data); err != nil {
		return object.EmptyID, err
	}
	return w.Result()
}
