package mongodb

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
)

const (
	perPart    = 20_000 // documents; a smaller range is not worth a cursor
	maxParts   = 32
	perPartKey = 20 // sampled keys per part, so that parts get about equal
)

// A part of a collection is read by one cursor: from min on, up to but not including max.
type part struct {
	index      int // of the collection
	collection string
	min, max   *bson.RawValue
}

func (p part) bounded() bool { return p.min != nil || p.max != nil }

// parts divides a collection into ranges of _id, by a sample. If ranges are impossible, there is one part.
func (d *database) parts(ctx context.Context, index int, c collection) ([]part, error) {
	n := int(min(maxParts, c.expected/perPart))
	if !c.ranged || n < 2 {
		return []part{{index: index, collection: c.name}}, nil
	}
	cursor, err := d.db.Collection(c.name).Aggregate(ctx, bson.A{
		bson.D{{Key: "$sample", Value: bson.D{{Key: "size", Value: n * perPartKey}}}},
		bson.D{{Key: "$project", Value: bson.D{{Key: "_id", Value: 1}}}},
		bson.D{{Key: "$sort", Value: bson.D{{Key: "_id", Value: 1}}}},
	})
	if err != nil {
		return nil, d.wrap(ctx, "sample "+c.name, err)
	}
	var sample []struct {
		ID bson.RawValue `bson:"_id"`
	}
	if err := cursor.All(ctx, &sample); err != nil {
		return nil, d.wrap(ctx, "sample "+c.name, err)
	}
	var keys []bson.RawValue
	for i := perPartKey; i < len(sample); i += perPartKey {
		keys = append(keys, sample[i].ID)
	}
	return split(index, c.name, keys), nil
}

// split makes adjoining parts between the keys, which are in the server's order. It skips equal neighbours, which a
// sample may have: the server refuses an empty range.
func split(index int, collection string, keys []bson.RawValue) []part {
	parts := []part{{index: index, collection: collection}}
	for _, key := range keys {
		last := &parts[len(parts)-1]
		if last.min != nil && last.min.Equal(key) {
			continue
		}
		last.max = &key
		parts = append(parts, part{index: index, collection: collection, min: &key})
	}
	return parts
}
