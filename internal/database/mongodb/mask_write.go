package mongodb

import (
	"bufio"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluice-cd/sluice"
)

const (
	writeAtOnce = 1000
	writeBytes  = 4 << 20
	duplicate   = 11000
)

// A spool keeps documents in a file that is already deleted, so that nothing remains of it whatever happens.
type spool struct {
	mu   sync.Mutex
	file *os.File
	out  *bufio.Writer
}

func newSpool() (*spool, error) {
	f, err := os.CreateTemp("", "sluice-mask-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &spool{file: f, out: bufio.NewWriterSize(f, 1<<20)}, nil
}

func (s *spool) close() error { return s.file.Close() }

func (s *spool) add(document []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.out.Write(document); err != nil {
		return aside(err)
	}
	return nil
}

func aside(err error) error {
	return sluice.Errorf(sluice.Exhausted, "masked documents cannot be kept in a temporary file: %w", err).
		WithHint("free space in %s, or set TMPDIR", os.TempDir())
}

// batches visits the documents in batches. The bytes are only valid during the call.
func (s *spool) batches(visit func(documents []bson.Raw) error) error {
	if err := s.out.Flush(); err != nil {
		return aside(err)
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return aside(err)
	}
	in := bufio.NewReaderSize(s.file, 1<<20)
	var batch []bson.Raw
	held := 0
	for {
		document, err := readDocument(in)
		if err != nil && !errors.Is(err, io.EOF) {
			return aside(err)
		}
		ended := err != nil
		if !ended {
			batch, held = append(batch, document), held+len(document)
		}
		if len(batch) > 0 && (ended || len(batch) >= writeAtOnce || held >= writeBytes) {
			if err := visit(batch); err != nil {
				return err
			}
			batch, held = batch[:0], 0
		}
		if ended {
			return nil
		}
	}
}

func readDocument(in *bufio.Reader) ([]byte, error) {
	head, err := in.Peek(4)
	if err != nil {
		return nil, err
	}
	document := make([]byte, binary.LittleEndian.Uint32(head))
	_, err = io.ReadFull(in, document)
	return document, err
}

// replace creates the collection again with the same options and indexes and fills it with the masked documents. It
// drops the old collection first, so that its file and its pages are gone.
func (d *database) replace(ctx context.Context, c collection, kept *spool, p *progress) error {
	options, err := d.options(ctx, c.name)
	if err != nil {
		return err
	}
	indexes, err := d.definitions(ctx, c.name)
	if err != nil {
		return err
	}
	if err := d.db.Collection(c.name).Drop(ctx); err != nil {
		return d.wrap(ctx, "mask "+c.name, err)
	}
	create := append(bson.D{{Key: "create", Value: c.name}}, options...)
	if err := d.db.RunCommand(ctx, create).Err(); err != nil {
		return d.wrap(ctx, "mask "+c.name, err)
	}
	if err := d.fill(ctx, c, kept, p); err != nil || len(indexes) == 0 {
		return err
	}
	err = d.db.RunCommand(ctx, bson.D{{Key: "createIndexes", Value: c.name}, {Key: "indexes", Value: indexes}}).Err()
	return d.wrapWrite(ctx, c, err)
}

func (d *database) fill(ctx context.Context, c collection, kept *spool, p *progress) error {
	unordered := options.InsertMany().SetOrdered(false)
	err := kept.batches(func(documents []bson.Raw) error {
		if _, err := d.db.Collection(c.name).InsertMany(ctx, documents, unordered); err != nil {
			return err
		}
		p.add(len(documents))
		return nil
	})
	return d.wrapWrite(ctx, c, err)
}

// wrapWrite does not return the server's error about a document, which quotes the document.
func (d *database) wrapWrite(ctx context.Context, c collection, err error) error {
	if err == nil {
		return nil
	}
	code := 0
	if refused, ok := errors.AsType[mongo.BulkWriteException](err); ok && len(refused.WriteErrors) > 0 {
		code = refused.WriteErrors[0].Code
	}
	if command, ok := errors.AsType[mongo.CommandError](err); ok && !slices.Contains(interruption, int(command.Code)) {
		code = int(command.Code)
	}
	switch {
	case code == duplicate || mongo.IsDuplicateKeyError(err) || strings.Contains(err.Error(), "UNIQUE constraint failed"):
		return sluice.Errorf(sluice.Failed, "masking would make two documents of %s equal in a unique index", c.name).
			WithHint("use format or hash for the fields of its unique indexes, not empty")
	case code != 0:
		return sluice.Errorf(sluice.Failed, "the database at %s refuses masked documents or indexes of %s (code %d)",
			d.address, c.name, code).
			WithHint("check that the rules keep what the validator and the indexes of the collection require")
	}
	return d.wrap(ctx, "mask "+c.name, err)
}

// options returns the options of the collection.
func (d *database) options(ctx context.Context, name string) (bson.D, error) {
	specs, err := d.db.ListCollectionSpecifications(ctx, bson.D{{Key: "name", Value: name}})
	if err != nil || len(specs) != 1 {
		return nil, d.wrap(ctx, "look at "+name, cmp.Or(err, error(mongo.ErrNoDocuments)))
	}
	var made bson.D
	if len(specs[0].Options) > 0 {
		err = bson.Unmarshal(specs[0].Options, &made)
	}
	return made, d.wrap(ctx, "look at "+name, err)
}

// definitions returns the definitions of the indexes, except those that every collection has.
func (d *database) definitions(ctx context.Context, collection string) (bson.A, error) {
	cursor, err := d.db.Collection(collection).Indexes().List(ctx)
	if err != nil {
		return nil, d.wrap(ctx, "list the indexes of "+collection, err)
	}
	defer func() { _ = cursor.Close(context.WithoutCancel(ctx)) }()
	var all bson.A
	for cursor.Next(ctx) {
		var index, made bson.D
		if err := cursor.Decode(&index); err != nil {
			return nil, d.wrap(ctx, "read an index of "+collection, err)
		}
		own := false
		for _, e := range index {
			own = own || e.Key == "name" && e.Value == "_id_" || e.Key == "clustered"
			if !slices.Contains([]string{"v", "ns", "background"}, e.Key) {
				made = append(made, e)
			}
		}
		if !own {
			all = append(all, made)
		}
	}
	return all, d.wrap(ctx, "list the indexes of "+collection, cursor.Err())
}

// compact frees the pages of dropped collections in FerretDB's file. MongoDB does not need it: each collection has its
// own file there.
func (d *database) compact(ctx context.Context, collection string) error {
	if !d.ferret {
		return nil
	}
	compact := bson.D{{Key: "compact", Value: collection}, {Key: "force", Value: true}}
	return d.wrap(ctx, "compact "+collection, d.db.RunCommand(ctx, compact).Err())
}
