package mongodb

import (
	"bytes"
	"context"
	"slices"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

const (
	fetchAtOnce = 100      // keys per query
	fetchBytes  = 32 << 20 // the most that is held of documents; the rest is not explained
)

// fetch returns the documents of the keys, as many as fit.
func (s side) fetch(ctx context.Context, keys []string) (map[string][]byte, error) {
	found := &shelf{documents: map[string][]byte{}}
	if s.collection == nil {
		return found.documents, nil
	}
	if s.db.ferret && !pointed(keys) {
		return found.documents, s.fetchByScan(ctx, keys, found)
	}
	at := fetchAtOnce
	if s.db.ferret {
		at = 1 // it uses its index only for equality
	}
	for some := range slices.Chunk(keys, at) {
		if err := s.fetchSome(ctx, some, found); err != nil {
			return nil, err
		}
	}
	return found.documents, nil
}

// pointed reports whether FerretDB finds the keys by its index and they are few enough to ask for one by one.
func pointed(keys []string) bool {
	return len(keys) <= fetchAtOnce && !slices.ContainsFunc(keys, func(key string) bool {
		t := bson.Type(key[0])
		return t != bson.TypeString && t != bson.TypeObjectID
	})
}

func (s side) fetchSome(ctx context.Context, keys []string, found *shelf) error {
	ids := make(bson.A, 0, len(keys))
	for _, key := range keys {
		ids = append(ids, keyValue(key))
	}
	filter := bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}}
	if len(ids) == 1 {
		filter = bson.D{{Key: "_id", Value: ids[0]}}
	}
	cursor, err := s.db.db.Collection(s.collection.name).Find(ctx, filter, options.Find().SetBatchSize(16))
	if err != nil {
		return s.db.wrap(ctx, "read "+s.collection.name, err)
	}
	defer func() { _ = cursor.Close(context.WithoutCancel(ctx)) }()
	for cursor.Next(ctx) {
		key, err := appendKey(nil, cursor.Current)
		if err != nil {
			return s.db.wrap(ctx, "read "+s.collection.name, err)
		}
		found.put(string(key), cursor.Current)
	}
	return s.db.wrap(ctx, "read "+s.collection.name, cursor.Err())
}

func (s side) fetchByScan(ctx context.Context, keys []string, found *shelf) error {
	wanted := map[string]bool{}
	for _, key := range keys {
		wanted[key] = true
	}
	scratches := make([][]byte, workers())
	return s.scan(ctx, func(worker int, document []byte) error {
		key, err := appendKey(scratches[worker][:0], document)
		scratches[worker] = key
		if err == nil && wanted[string(key)] {
			found.put(string(key), document)
		}
		return err
	})
}

// A shelf holds a bounded amount of documents.
type shelf struct {
	mu        sync.Mutex
	bytes     int
	documents map[string][]byte
}

func (s *shelf) put(key string, document []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bytes += len(document); s.bytes <= fetchBytes {
		s.documents[key] = bytes.Clone(document)
	}
}
