package shop

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// release10 is the first release. A customer is one line of text.
var release10 = Release{
	Name:    "1.0",
	Migrate: createIndexes,
	Open: func(_ context.Context, b *Book) Take {
		return b.Put
	},
}

// createIndexes creates the indexes by which the shop's reports sort.
func createIndexes(ctx context.Context, b *Book) (int, error) {
	_, err := b.Orders.Indexes().CreateMany(ctx, []mongo.IndexModel{
		{Keys: bson.D{{Key: "customer", Value: 1}}, Options: options.Index().SetName("by_customer")},
		{Keys: bson.D{{Key: "placedAt", Value: -1}, {Key: "sku", Value: 1}}, Options: options.Index().SetName("by_time")},
	})
	return 0, err
}
