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
	// grace is how long an interrupted upload may take to do so.
	grace = 10 * time.Second
)

// A sending copies one volume. Entries are collected in batches. The segments of a batch are written in any order, its
// rows afterwards in the order of the volume.
type sending struct {
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
func (s *sending) run(ctx context.Context) (object.ID, error) {
	defer s.shape.close()
	s.index = s.to.NewObjectWriter(context.WithoutCancel(ctx), object.WriterOptions{
		Description: "INDEX", Compressor: compressor, MetadataCompressor: compressor, Splitter: indexSplitter,
	})
	defer func() { _ = s.index.Close() }() // Result returns its errors
	s.encoder, s.kept = json.NewEncoder(s.index), time.Now()
	err := s.from.Entries(ctx, func(e tree.Entry) error { return s.visit(ctx, e) })
	if err == nil {
		err = s.flush(ctx)
	}
	if err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		index, failed := s.index.Result()
		if failed == nil {
			failed = s.keep(ctx, index)
		}
		return object.EmptyID, errors.Join(err, failed)
	}
	return s.index.Result()
}

// visit adds the entry to the batch, a large file in several rows.
func (s *sending) visit(ctx context.Context, e tree.Entry) error {
	s.rows = append(s.rows, row{Entry: e})
	for at := int64(0); e.Kind == tree.File && at < e.Size; at += run * tree.Segment {
		if at > 0 {
			s.rows = append(s.rows, row{Entry: tree.Entry{Path: e.Path, Kind: e.Kind, Size: e.Size}, Offset: at})
		}
		p := part{
			Part: tree.Part{Path: e.Path, Offset: at, Length: min(e.Size-at, run*tree.Segment)},
			row:  len(s.rows) - 1, known: s.known.segments(ctx, e.Path, at),
		}
		for _, k := range p.known {
			p.Known = append(p.Known, k.Sum)
		}
		s.parts = append(s.parts, p)
		s.rows[p.row].Segments = make([]segment, p.Segments())
		if s.segments += p.Segments(); s.segments >= run {
			if err := s.flush(ctx); err != nil {
				return err
			}
		}
	}
	if len(s.rows) >= most {
		return s.flush(ctx)
	}
	return nil
}

// flush reads and writes the batch.
func (s *sending) flush(ctx context.Context) error {
	if err := s.read(ctx); err != nil {
		return err
	}
	for i := range s.rows {
		if err := s.encoder.Encode(s.rows[i]); err != nil {
			return err
		}
		if err := s.shape.add(ctx, &s.rows[i]); err != nil {
			return err
		}
	}
	s.rows, s.parts, s.segments = s.rows[:0], s.parts[:0], 0
	if time.Since(s.kept) < save {
		return nil
	}
	s.kept = time.Now()
	index, err := s.index.Checkpoint()
	if err != nil || index == object.EmptyID {
		return err
	}
	return s.keep(ctx, index)
}

// An address is where a row of a file begins.
type address struct {
	path   string
	offset int64
}

func (s *sending) read(ctx context.Context) error {
	if len(s.parts) == 0 {
		return nil
	}
	parts, at := make([]tree.Part, len(s.parts)), map[address]part{}
	for i, p := range s.parts {
		parts[i] = p.Part
		at[address{p.Path, p.Offset}] = p
	}
	return s.from.Read(ctx, parts, func(piece tree.Piece) error {
		start := piece.Offset - piece.Offset%(run*tree.Segment)
		p, i := at[address{piece.Path, start}], int((piece.Offset-start)/tree.Segment)
		if i >= p.Segments() || piece.Length != min(tree.Segment, p.Length-int64(i)*tree.Segment) {
			return sluice.Errorf(sluice.Failed, "nobody asked for byte %d of %s", piece.Offset, piece.Path)
		}
		id, err := s.write(ctx, p, i, piece)
		if err != nil {
			return err
		}
		s.rows[p.row].Segments[i] = segment{piece.Sum, id}
		s.meter.add(piece.Length)
		return nil
	})
}

// write returns the object that holds the piece, the one of an earlier copy if it is the same.
func (s *sending) write(ctx context.Context, p part, i int, piece tree.Piece) (object.ID, error) {
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
	return writeObject(ctx, s.to, data)
}

func writeObject(ctx context.Context, to repo.RepositoryWriter, data []byte) (object.ID, error) {
	w := to.NewObjectWriter(ctx, object.WriterOptions{Compressor: compressor, Splitter: segmentSplitter})
	defer func() { _ = w.Close() }() // Result returns its errors
	if _, err := w.Write(data); err != nil {
		return object.EmptyID, err
	}
	return w.Result()
}
