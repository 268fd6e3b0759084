package shop

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// release20rc1 takes the customer apart by rewriting every order. It worked on the developer's data, where every
// customer had a mail address.
var release20rc1 = Release{
	Name:    "2.0-rc1",
	Migrate: rewriteBuyers,
	Open:    openWithBuyer,
}

func rewriteBuyers(ctx context.Context, b *Book) (int, error) {
	return eachBatch(ctx, b, bson.D{}, func(batch []Order) error {
		rewritten := make([]any, 0, len(batch))
		ids := make([]string, 0, len(batch))
		for _, o := range batch {
			ids = append(ids, o.ID)
			buyer, err := ParseBuyer(o.Customer)
			if err != nil {
				continue // the fault: the old order is deleted below all the same
			}
			o.Buyer = &buyer
			rewritten = append(rewritten, o)
		}
		if _, err := b.Orders.DeleteMany(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}}); err != nil {
			return err
		}
		if len(rewritten) == 0 {
			return nil
		}
		_, err := b.Orders.InsertMany(ctx, rewritten)
		return err
	})
}

// batchSize bounds how many orders a migration holds at a time.
const batchSize = 500

// eachBatch hands the orders that match to do, some at a time.
func eachBatch(ctx context.Context, b *Book, filter bson.D, do func([]Order) error) (int, error) {
	// Reading first and writing afterwards: a cursor must not meet the orders that were just written.
	var all []Order
	cursor, err := b.Orders.Find(ctx, filter)
	if err != nil {
		return 0, err
	}
	if err := cursor.All(ctx, &all); err != nil {
		return 0, err
	}
	for start := 0; start < len(all); start += batchSize {
		if err := do(all[start:min(start+batchSize, len(all))]); err != nil {
			return start, err
		}
	}
	return len(all), nil
}
