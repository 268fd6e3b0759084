package shop

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// release23 gives every order a status.
var release23 = Release{
	Name:    "2.3",
	Migrate: addStatus,
	Open: func(ctx context.Context, b *Book) Take {
		take := openWithBuyer(ctx, b)
		return func(ctx context.Context, o Order) error {
			o.Status = "placed"
			return take(ctx, o)
		}
	},
}

func addStatus(ctx context.Context, b *Book) (int, error) {
	absent := bson.D{{Key: "status", Value: bson.D{{Key: "$exists", Value: false}}}}
	return eachBatch(ctx, b, absent, func(batch []Order) error {
		ids := make([]string, 0, len(batch))
		for _, o := range batch {
			ids = append(ids, o.ID)
		}
		_, err := b.Orders.UpdateMany(ctx,
			bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}},
			bson.D{{Key: "$set", Value: bson.D{{Key: "status", Value: "placed"}}}})
		return err
	})
}
