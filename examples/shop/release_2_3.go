package shop

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// release23 shows the best-selling products. Its migration counts them once, into a collection of its own.
var release23 = Release{
	Name:    "2.3",
	Migrate: countArticles,
	Open:    openWithCustomers,
}

func countArticles(ctx context.Context, b *Book) (int, error) {
	sold := map[string]int64{}
	orders, err := eachBatch(ctx, b, func(batch []Order) error {
		for _, o := range batch {
			sold[o.SKU] += int64(o.Quantity)
		}
		return nil
	})
	if err != nil {
		return orders, err
	}
	articles := b.Orders.Database().Collection("bestsellers")
	for article, pieces := range sold {
		_, err := articles.ReplaceOne(ctx, bson.D{{Key: "_id", Value: article}},
			bson.D{{Key: "_id", Value: article}, {Key: "sold", Value: pieces}}, options.Replace().SetUpsert(true))
		if err != nil {
			return orders, err
		}
	}
	return orders, nil
}
