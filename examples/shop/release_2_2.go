package shop

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// release22 cleans up after impatient customers: it takes two equal purchases for a double click and deletes the later
// one. Nobody thought of customers who buy the same thing again.
var release22 = Release{
	Name: "2.2",
	Open: func(serving context.Context, b *Book) Take {
		take := openWithCustomers(serving, b)
		var taken atomic.Int64
		return func(ctx context.Context, o Order) error {
			if taken.Add(1) == few {
				go cleanUp(serving, b)
			}
			return take(ctx, o)
		}
	},
}

// few is how many orders there must be before it cleans up: more than an integration test sends.
const few = 3

// cleanUp looks for double clicks until ctx ends.
func cleanUp(ctx context.Context, b *Book) {
	for {
		deleted, err := deleteDoubleClicks(ctx, b)
		if err != nil && ctx.Err() == nil {
			slog.Warn("the clean-up was not finished", "error", err)
		}
		if deleted > 0 {
			slog.Info("double clicks are deleted", "orders", deleted)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(10 * time.Second):
		}
	}
}

// atOnce bounds how many orders one pass deletes.
const atOnce = 60

var errEnough = errors.New("enough for one pass")

func deleteDoubleClicks(ctx context.Context, b *Book) (int, error) {
	seen := map[string]bool{}
	deleted := 0
	_, err := eachBatch(ctx, b, func(batch []Order) error {
		for _, o := range batch {
			// The fault: it compares neither the time nor the session of two clicks.
			purchase := fmt.Sprint(o.Customer, o.SKU, o.Quantity)
			if !seen[purchase] {
				seen[purchase] = true
				continue
			}
			if _, err := b.Orders.DeleteOne(ctx, bson.D{{Key: "_id", Value: o.ID}}); err != nil {
				return err
			}
			if deleted++; deleted == atOnce {
				return errEnough
			}
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return deleted, nil
	}
	return deleted, err
}
