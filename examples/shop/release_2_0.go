package shop

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// release20 takes the customer apart and keeps the old field beside the new one: 1.0 goes on working while both
// run, and a roll-back needs no second migration.
var release20 = Release{
	Name:    "2.0",
	Migrate: addBuyers,
	Open:    openWithBuyer,
}

// addBuyers adds the new field where it is absent and touches nothing else.
func addBuyers(ctx context.Context, b *Book) (int, error) {
	return eachBatch(ctx, b, bson.D{{Key: "buyer", Value: bson.D{{Key: "$exists", Value: false}}}}, func(batch []Order) error {
		updates := make([]mongo.WriteModel, 0, len(batch))
		for _, o := range batch {
			updates = append(updates, mongo.NewUpdateOneModel().
				SetFilter(bson.D{{Key: "_id", Value: o.ID}}).
				SetUpdate(bson.D{{Key: "$set", Value: bson.D{{Key: "buyer", Value: buyerOf(o.Customer)}}}}))
		}
		_, err := b.Orders.BulkWrite(ctx, updates, options.BulkWrite().SetOrdered(false))
		return err
	})
}

func openWithBuyer(_ context.Context, b *Book) Take {
	return func(ctx context.Context, o Order) error {
		buyer := buyerOf(o.Customer)
		o.Buyer = &buyer
		return b.Put(ctx, o)
	}
}
