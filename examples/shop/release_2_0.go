package shop

import (
	"context"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// release20 splits customers into fields without changing any order. It stores them in a collection of their own, by
// the line of text that the orders still have. Release 1.0 works beside it, and a rollback needs no second migration.
var release20 = Release{
	Name:    "2.0",
	Migrate: addCustomers,
	Open:    openWithCustomers,
}

// A Customer is a line of text in separate fields.
type Customer struct {
	Line  string `bson:"_id"`
	Buyer Buyer  `bson:"buyer"`
}

// customers returns the collection of them.
func customers(b *Book) *mongo.Collection { return b.Orders.Database().Collection("customers") }

func addCustomers(ctx context.Context, b *Book) (int, error) {
	known := map[string]bool{}
	return eachBatch(ctx, b, func(batch []Order) error {
		for _, o := range batch {
			if known[o.Customer] {
				continue
			}
			if err := addCustomer(ctx, b, o.Customer); err != nil {
				return err
			}
			known[o.Customer] = true
		}
		return nil
	})
}

// addCustomer writes a customer once, however often it is called.
func addCustomer(ctx context.Context, b *Book, line string) error {
	_, err := customers(b).ReplaceOne(ctx, bson.D{{Key: "_id", Value: line}},
		Customer{Line: line, Buyer: buyerOf(line)}, options.Replace().SetUpsert(true))
	return err
}

func openWithCustomers(_ context.Context, b *Book) Take {
	var known sync.Map
	return func(ctx context.Context, o Order) error {
		if _, found := known.Load(o.Customer); !found {
			err := b.patiently(ctx, func(ctx context.Context) error { return addCustomer(ctx, b, o.Customer) })
			if err != nil && !mongo.IsDuplicateKeyError(err) {
				return err
			}
			known.Store(o.Customer, true)
		}
		return b.Put(ctx, o)
	}
}
