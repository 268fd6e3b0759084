package shop

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// release20rc1 splits the customer into fields. It rewrites every order beside the old ones and then swaps the two. It
// worked on the developer's data, where every customer had a mail address.
var release20rc1 = Release{
	Name:    "2.0-rc1",
	Migrate: rewriteOrders,
	Open: func(_ context.Context, b *Book) Take {
		return func(ctx context.Context, o Order) error {
			buyer, err := ParseBuyer(o.Customer)
			if err != nil {
				return err
			}
			o.Buyer = &buyer
			return b.Put(ctx, o)
		}
	},
}

func rewriteOrders(ctx context.Context, b *Book) (int, error) {
	db := b.Orders.Database()
	rewritten := db.Collection("orders_rewritten")
	if err := rewritten.Drop(ctx); err != nil {
		return 0, err
	}
	orders, err := eachBatch(ctx, b, func(batch []Order) error {
		fresh := make([]any, 0, len(batch))
		for _, o := range batch {
			buyer, err := ParseBuyer(o.Customer)
			if err != nil {
				continue // the fault: an order that cannot be read is not written, without any error
			}
			o.Buyer = &buyer
			fresh = append(fresh, o)
		}
		_, err := rewritten.InsertMany(ctx, fresh)
		return err
	})
	if err != nil {
		return orders, err
	}
	if err := b.Orders.Drop(ctx); err != nil {
		return orders, err
	}
	if err := rename(ctx, rewritten, collection); err != nil {
		return orders, err
	}
	_, err = createIndexes(ctx, b)
	return orders, err
}

func rename(ctx context.Context, from *mongo.Collection, to string) error {
	db := from.Database()
	return db.Client().Database("admin").RunCommand(ctx, bson.D{
		{Key: "renameCollection", Value: db.Name() + "." + from.Name()},
		{Key: "to", Value: db.Name() + "." + to},
	}).Err()
}

// batchSize bounds how many orders a migration has in memory.
const batchSize = 500

// eachBatch passes all orders to do in batches and returns their number.
func eachBatch(ctx context.Context, b *Book, do func([]Order) error) (seen int, err error) {
	cursor, err := b.Orders.Find(ctx, bson.D{})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, cursor.Close(context.WithoutCancel(ctx))) }()
	var batch []Order
	for cursor.Next(ctx) {
		var o Order
		if err := cursor.Decode(&o); err != nil {
			return seen, err
		}
		batch = append(batch, o)
		seen++
		if len(batch) < batchSize {
			continue
		}
		if err := do(batch); err != nil {
			return seen, err
		}
		batch = batch[:0]
	}
	if err := cursor.Err(); err != nil || len(batch) == 0 {
		return seen, err
	}
	return seen, do(batch)
}
