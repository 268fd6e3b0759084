package mongodb

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// A collection is one of the user's, as the server lists it.
type collection struct {
	name     string
	ranged   bool  // whether it can be read by ranges of _id
	expected int64 // documents, by the server's own count
}

// collections lists the user's collections by name, and the names of views and system collections.
func (d *database) collections(ctx context.Context) (found []collection, skipped []string, err error) {
	specs, err := d.db.ListCollectionSpecifications(ctx, bson.D{})
	if err != nil {
		return nil, nil, d.wrap(ctx, "list the collections", err)
	}
	for _, spec := range specs {
		if !isData(spec) {
			skipped = append(skipped, spec.Name)
			continue
		}
		c, err := d.count(ctx, spec)
		if err != nil {
			return nil, nil, err
		}
		found = append(found, *c)
	}
	slices.Sort(skipped)
	slices.SortFunc(found, func(a, b collection) int { return cmp.Compare(a.name, b.name) })
	return found, skipped, nil
}

// collection returns the user's collection with that name, nil if there is none.
func (d *database) collection(ctx context.Context, name string) (*collection, error) {
	specs, err := d.db.ListCollectionSpecifications(ctx, bson.D{{Key: "name", Value: name}})
	if err != nil {
		return nil, d.wrap(ctx, "list the collections", err)
	}
	if len(specs) != 1 || !isData(specs[0]) {
		return nil, nil
	}
	return d.count(ctx, specs[0])
}

func isData(spec mongo.CollectionSpecification) bool {
	return spec.Type != "view" && !strings.HasPrefix(spec.Name, "system.")
}

func (d *database) count(ctx context.Context, spec mongo.CollectionSpecification) (*collection, error) {
	n, err := d.expect(ctx, spec.Name)
	if err != nil {
		return nil, d.wrap(ctx, "count "+spec.Name, err)
	}
	return &collection{name: spec.Name, ranged: !d.ferret && rangeable(spec), expected: n}, nil
}

// expect returns about how many documents there are. FerretDB would read every document to count them, so expect asks
// it for the size of the table.
func (d *database) expect(ctx context.Context, collection string) (int64, error) {
	if !d.ferret {
		return d.db.Collection(collection).EstimatedDocumentCount(ctx)
	}
	cursor, err := d.db.Collection(collection).Aggregate(ctx, bson.A{
		bson.D{{Key: "$collStats", Value: bson.D{{Key: "count", Value: bson.D{}}}}},
	})
	if err != nil {
		return 0, err
	}
	var stats []struct {
		Count int64 `bson:"count"`
	}
	if err := cursor.All(ctx, &stats); err != nil || len(stats) == 0 {
		return 0, err
	}
	return stats[0].Count, nil
}

// rangeable reports whether the collection has the index {_id: 1}, which a hint can name. Time series and clustered
// collections do not have it.
func rangeable(spec mongo.CollectionSpecification) bool {
	_, err := spec.Options.LookupErr("clusteredIndex")
	return spec.Type != "timeseries" && err != nil
}

// indexes returns the canonical definitions by name.
func (d *database) indexes(ctx context.Context, collection string) (map[string]string, error) {
	cursor, err := d.db.Collection(collection).Indexes().List(ctx)
	if err != nil {
		return nil, d.wrap(ctx, "list the indexes of "+collection, err)
	}
	defer func() { _ = cursor.Close(context.WithoutCancel(ctx)) }()
	indexes := map[string]string{}
	for cursor.Next(ctx) {
		name, definition, err := indexDefinition(cursor.Current)
		if err != nil {
			return nil, d.wrap(ctx, "read an index of "+collection, err)
		}
		indexes[name] = definition
	}
	return indexes, d.wrap(ctx, "list the indexes of "+collection, cursor.Err())
}
