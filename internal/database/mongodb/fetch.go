package mongodb

import (
	"context"
	"errors"
	"slices"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluice-cd/sluice/internal/fingerprint"
)

const (
	fetchAtOnce = 100     // keys per query
	fetchFields = 250_000 // the most that is held of outlines; other documents are not described
)

// Outlines implements [fingerprint.Source].
func (d *database) Outlines(ctx context.Context, s fingerprint.Documents) ([]*fingerprint.Outline, error) {
	found := &shelf{without: s.Without, outlines: map[string]*fingerprint.Outline{}}
	keys, err := keysOf(s.Keys)
	if err != nil {
		return nil, err
	}
	c, err := d.collection(ctx, s.Collection)
	if err == nil && c != nil {
		err = d.fetch(ctx, *c, keys, found)
	}
	if err != nil {
		return nil, err
	}
	outlines := make([]*fingerprint.Outline, len(keys))
	for i, key := range keys {
		outlines[i] = found.outlines[key]
	}
	return outlines, nil
}

// fetch puts the documents of the keys on the shelf.
func (d *database) fetch(ctx context.Context, c collection, keys []string, found *shelf) error {
	if d.ferret && !pointed(keys) {
		return d.fetchByScan(ctx, c, keys, found)
	}
	at := fetchAtOnce
	if d.ferret {
		at = 1 // it uses its index only for equality
	}
	for some := range slices.Chunk(keys, at) {
		if err := d.fetchSome(ctx, c, some, found); err != nil {
			return err
		}
	}
	return nil
}

// pointed reports whether FerretDB finds the keys by its index and they are few enough to ask for one by one.
func pointed(keys []string) bool {
	return len(keys) <= fetchAtOnce && !slices.ContainsFunc(keys, func(key string) bool {
		t := bson.Type(key[0])
		return t != bson.TypeString && t != bson.TypeObjectID
	})
}

func (d *database) fetchSome(ctx context.Context, c collection, keys []string, found *shelf) error {
	ids := make(bson.A, 0, len(keys))
	for _, key := range keys {
		ids = append(ids, keyValue(key))
	}
	filter := bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}}
	if len(ids) == 1 {
		filter = bson.D{{Key: "_id", Value: ids[0]}}
	}
	cursor, err := d.db.Collection(c.name).Find(ctx, filter, options.Find().SetBatchSize(16))
	if err != nil {
		return d.wrap(ctx, "read "+c.name, err)
	}
	defer func() { _ = cursor.Close(context.WithoutCancel(ctx)) }()
	for cursor.Next(ctx) {
		key, err := appendKey(nil, cursor.Current)
		if err == nil {
			err = found.put(string(key), cursor.Current)
		}
		if err != nil {
			return d.wrap(ctx, "read "+c.name, err)
		}
	}
	return d.wrap(ctx, "read "+c.name, cursor.Err())
}

func (d *database) fetchByScan(ctx context.Context, c collection, keys []string, found *shelf) error {
	wanted := map[string]bool{}
	for _, key := range keys {
		wanted[key] = true
	}
	scratches := make([][]byte, workers())
	return d.visit(ctx, c, func(worker int, document []byte) error {
		key, err := appendKey(scratches[worker][:0], document)
		scratches[worker] = key
		if err == nil && wanted[string(key)] {
			return found.put(string(key), document)
		}
		return err
	})
}

// A shelf holds the outlines of a bounded amount of documents.
type shelf struct {
	mu       sync.Mutex
	without  []string
	fields   int
	outlines map[string]*fingerprint.Outline
}

func (s *shelf) put(key string, document []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	rest, err := without(nil, document, s.without)
	if err != nil {
		return err
	}
	fields := s.fields
	outline, err := outlineOf(rest, &fields)
	if errors.Is(err, errLarge) {
		return nil // a smaller one may still fit
	}
	s.outlines[key], s.fields = outline, fields
	return err
}
